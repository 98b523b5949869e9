// y = w * factor by non-temporal stores: results too many to stay in cache.
//
// An ordinary store reads the line that it writes. V must have stream(), a store past the cache to
// an aligned address; rows start at any element, so each is peeled to that alignment.
#pragma once
#include "kernels/rows/passes.hpp"
#include "kernels/rows/prefetch.hpp"
#include "vec/concept.hpp"
#include <cstdint>

namespace fastsoftmax {

/// From so many bytes of results on they go past the cache: several L2 caches.
inline constexpr std::size_t past_cache_bytes = std::size_t{24} << 20;

/// Fetches every other line from `next` on meanwhile.
template <class V>
FS_INLINE void scale_past_cache(const typename V::scalar *w, typename V::scalar *y, std::size_t n,
                                typename V::scalar factor, const typename V::scalar *next) {
    constexpr std::size_t lanes = V::lanes, tree = tree_size<V> * lanes;
    const V k = V::set(factor);
    const auto unaligned = [&](std::size_t i, std::size_t end) {
        for (; i + lanes <= end; i += lanes)
            (V::load(w + i) * k).store(y + i);
        if (i < end)
            (V::load_n(w + i, end - i, 0) * k).store_n(y + i, end - i);
    };
    std::size_t i = -reinterpret_cast<std::uintptr_t>(y) % cache_line / sizeof(*y);
    i = i < n ? i : n;
    unaligned(0, i);
    for (; i + tree <= n; i += tree) {
        for (std::size_t j = i / 2; j < (i + tree) / 2; j += cache_line / sizeof(*y))
            __builtin_prefetch(next + j, 0, 3);
        for (std::size_t j = i; j < i + tree; j += lanes)
            (V::load(w + j) * k).stream(y + j);
    }
    unaligned(i, n);
}

} // namespace fastsoftmax
