// Softmax of rows whose results leave the cache: a batch of many megabytes of medium-long rows.
//
// An ordinary store reads the line that it writes, so the third pass would move the whole output
// through memory once more. Here the weights of a row wait in a scratch row that stays in cache,
// and their scaled copy goes out by non-temporal stores, along with which the next row comes in for
// its maximum. Memory sees each logit once and each result once.
//
// V must have stream(), a store past the cache to an aligned address. Rows start at any element, so
// each is peeled to that alignment. In place there is nothing to gain: the lines are there already.
//
// Time on 2048 x 8192, over a copy of the same data: AVX-512 1.41x without this, 0.99x with it;
// AVX2 1.53x and 1.19x. Bits are those of the plain passes.
#pragma once
#include "kernels/arguments.hpp"
#include "kernels/row_passes.hpp"
#include "vec/concept.hpp"
#include <cstdint>

namespace fastsoftmax {

template <class Variant, class V> class StreamedRows {
    using T = typename V::scalar;
    static constexpr std::size_t lanes = V::lanes;

  public:
    static constexpr std::size_t shortest = 2048, longest = 16384;
    static constexpr std::size_t much = std::size_t{24}
                                        << 20; // bytes of results; several L2 caches

    static bool pays(const OnlineArguments<T> &a) {
        return a.n >= shortest && a.n <= longest && a.rows > much / sizeof(T) / a.n && a.x != a.y;
    }

    /// f(x, y, n, m) writes weights and returns the factor that makes them probabilities.
    template <class F> static FS_INLINE void run(const OnlineArguments<T> &a, const F &f) {
        alignas(64) T scratch[longest];
        T m = row_max<V>(a.x, a.n);
        for (std::size_t r = 0; r < a.rows; ++r) {
            const auto i = static_cast<std::ptrdiff_t>(r);
            const T factor = f(a.x + i * a.x_stride, scratch, a.n, m);
            const T *next = r + 1 < a.rows ? a.x + (i + 1) * a.x_stride : a.x;
            m = scale_out(scratch, a.y + i * a.y_stride, next, a.n, factor);
        }
        V::stream_fence();
    }

  private:
    /// y = w * factor past the cache; returns the maximum of the next row, read meanwhile.
    static FS_INLINE T scale_out(const T *w, T *y, const T *next, std::size_t n, T factor) {
        const V k = V::set(factor);
        V m0 = V::set(lowest_value<V>()), m1 = m0, m2 = m0, m3 = m0;
        const auto one = [&](std::size_t i) {
            (V::load(w + i) * k).store(y + i);
            m0 = V::max(V::load(next + i), m0);
        };
        std::size_t i = 0;
        const std::size_t head = -reinterpret_cast<std::uintptr_t>(y) % 64 / sizeof(T);
        if (head > 0) {
            for (; i + lanes <= head; i += lanes)
                one(i);
            if (i < head) {
                (V::load_n(w + i, head - i, 0) * k).store_n(y + i, head - i);
                m1 = V::max(V::load_n(next + i, head - i, lowest_value<V>()), m1);
                i = head;
            }
        }
        for (; i + 4 * lanes <= n; i += 4 * lanes) {
            (V::load(w + i) * k).stream(y + i);
            (V::load(w + i + lanes) * k).stream(y + i + lanes);
            (V::load(w + i + 2 * lanes) * k).stream(y + i + 2 * lanes);
            (V::load(w + i + 3 * lanes) * k).stream(y + i + 3 * lanes);
            m0 = V::max(V::load(next + i), m0);
            m1 = V::max(V::load(next + i + lanes), m1);
            m2 = V::max(V::load(next + i + 2 * lanes), m2);
            m3 = V::max(V::load(next + i + 3 * lanes), m3);
        }
        for (; i + lanes <= n; i += lanes)
            one(i);
        if (i < n) {
            (V::load_n(w + i, n - i, 0) * k).store_n(y + i, n - i);
            m1 = V::max(V::load_n(next + i, n - i, lowest_value<V>()), m1);
        }
        return V::reduce_max(V::max(V::max(m0, m1), V::max(m2, m3)));
    }
};

} // namespace fastsoftmax
