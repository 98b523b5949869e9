// The vectors of an int8 row: whole ones, and one for the remainder.
//
// Where a row has a whole vector, the remainder is the row's last vector, which overlaps
// its predecessor: maxima and stores don't mind, sums leave out the lanes that were met before. So
// only rows shorter than a vector need partial loads, which AVX2 and NEON lack.
#pragma once
#include "common/config.hpp"
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace fastsoftmax {

/// In place of a number of whole vectors, where a row's isn't known.
inline constexpr int any_length = -1;

/// Whether rows have a mask.
inline constexpr bool masked = true, unmasked = false;

/// Chunks: whole vectors in a row. Masked: whether there is a mask.
template <class V, int Chunks, bool Masked> struct RowVectors {
    static constexpr std::size_t lanes = V::lanes;
    struct Whole {};
    struct Last { ///< `fresh` lanes weren't in the vector before
        std::size_t fresh;
    };
    using Part = std::size_t; ///< so many elements, in a row shorter than a vector

    /// Calls f(offset, Whole, Last or Part) for each vector.
    template <class F> static FS_INLINE void each(std::size_t begin, std::size_t n, const F &f) {
        const std::size_t whole = Chunks >= 0 ? Chunks : n / lanes, remainder = n % lanes;
        if constexpr (Chunks >= 0) {
#pragma GCC unroll 8
            for (std::size_t j = 0; j < whole; ++j)
                f(begin + j * lanes, Whole{});
        } else { // unrolled more often, this makes the library larger and no faster
#pragma GCC unroll 2
            for (std::size_t j = 0; j < whole; ++j)
                f(begin + j * lanes, Whole{});
        }
        if (lanes == 1 || !remainder)
            return;
        // without a mask, rows of few vectors have classes of their own
        if (Chunks > 0 || (Chunks < 0 && (!Masked || begin + n >= lanes)))
            f(begin + n - lanes, Last{remainder});
        else
            f(begin, Part{remainder});
    }

    static FS_INLINE V load(const std::int8_t *p, Whole) { return V::load(p); }
    static FS_INLINE V load(const std::int8_t *p, Last) { return V::load(p); }
    static FS_INLINE V load(const std::int8_t *p, Part n) { return V::load_n(p, n); }

    template <class R> static FS_INLINE void store(R result, auto *to, Whole) { result.store(to); }
    template <class R> static FS_INLINE void store(R result, auto *to, Last) { result.store(to); }
    template <class R> static FS_INLINE void store(R result, auto *to, Part n) {
        result.store_n(to, n);
    }

    /// Lanes that are unmasked.
    template <class Kind> static FS_INLINE V unmasked(const std::uint8_t *mask, Kind kind) {
        if constexpr (std::is_same_v<Kind, Part>)
            return V::unmasked_n(mask, kind);
        else
            return V::unmasked(mask);
    }

    /// Whether a sum may have to leave out lanes.
    template <class Kind> static constexpr bool partial = Masked || !std::is_same_v<Kind, Whole>;

    /// Lanes that count in a sum.
    template <class Kind> static FS_INLINE V counted(const std::uint8_t *mask, Kind kind) {
        if constexpr (std::is_same_v<Kind, Whole>)
            return unmasked(mask, kind);
        else if constexpr (std::is_same_v<Kind, Last>)
            return Masked ? V::last(kind.fresh) & unmasked(mask, kind) : V::last(kind.fresh);
        else
            return Masked ? unmasked(mask, kind) : V::first(kind);
    }
};

} // namespace fastsoftmax
