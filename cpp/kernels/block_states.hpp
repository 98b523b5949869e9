// The state of each block of a long row: the power of two that its weights are relative to.
//
// A block is weighed relative to 2^n, n = floor(m * log2 e) of its own maximum m (exp.hpp), while
// it is in L1. The sums of blocks merge as the monoid does (common/monoid.hpp), but for a factor
// that is a power of two and so exact; the row's total then gives each block the factor that makes
// its weights probabilities. Blocks are of one size and know nothing of each other.
//
// A block beyond exp's `limit`, or with NaN or +inf, makes the row none of this class's. In place
// all maxima are taken first: nothing may be overwritten before they are known to be good.
#pragma once
#include "common/variants.hpp"
#include "kernels/prefetch.hpp"
#include "kernels/row_passes.hpp"
#include <cstdint>

namespace fastsoftmax {

template <class V> class BlockStates {
    using T = typename V::scalar;
    using Weight = ExactWeight<V, false>;
    static constexpr std::size_t block = 16384 / sizeof(T), most_blocks = 16384;

    T maximum[most_blocks];
    std::int32_t exponent[most_blocks];
    std::int32_t highest;
    double all;

  public:
    static constexpr std::size_t longest = block * most_blocks; ///< row

    /// n of a block's maximum, or of a block that has none.
    static constexpr std::int32_t lowest_exponent = -1 << 20;
    static FS_INLINE std::int32_t exponent_of(T m) {
        return static_cast<std::int32_t>(V::reduce_max(exp_floor(V::set(m))));
    }

    /// 2^k for k <= 0, and 0 where that is no normal double.
    static FS_INLINE double power_of_two(std::int32_t k) {
        return k < -1022 ? 0.0
                         : __builtin_bit_cast(double, static_cast<std::uint64_t>(1023 + k) << 52);
    }

    /// Calls f(first element, size, factor) for each block, the last one first.
    template <class F> FS_INLINE void each(std::size_t n, const F &f) const {
        for (std::size_t b = (n + block - 1) / block; b-- > 0;) {
            const std::size_t at = b * block;
            f(at, n - at < block ? n - at : block,
              static_cast<T>(power_of_two(exponent[b] - highest) / all));
        }
    }

    /// False if the row is none of this class's; w is garbage then, unless it is the row.
    FS_INLINE bool weigh(const T *x, T *w, std::size_t n, const T *next_row) {
        const bool in_place = x == w;
        if (in_place && !take_maxima(x, n))
            return false;
        highest = lowest_exponent;
        CompensatedSum total;
        for (std::size_t b = 0; b * block < n; ++b) {
            const std::size_t at = b * block, size = n - at < block ? n - at : block;
            if (!in_place)
                maximum[b] = row_max<V>(x + at, size);
            if (__builtin_expect(!good(maximum[b]), 0))
                return false;
            // a block of -inf weighs 0 relative to anything, and its NaN shows in the sum
            const bool empty = maximum[b] == lowest_value<V>();
            const Weight weight(empty ? T(0) : maximum[b]);
            exponent[b] = empty ? lowest_exponent : exponent_of(maximum[b]);
            const T *next = n - at > block ? x + at + block : next_row;
            const double sum = fastsoftmax::weigh<true, V>(weight, x + at, w + at, size,
                                                           Prefetch<V>(next, w + at));
            add(total, sum, exponent[b]);
        }
        all = total.value();
        return all > 0; // else nothing but -inf, or a NaN
    }

  private:
    FS_INLINE bool take_maxima(const T *x, std::size_t n) {
        bool all_good = true, any = false;
        for (std::size_t b = 0; b * block < n; ++b) {
            const std::size_t at = b * block;
            maximum[b] = row_max<V>(x + at, n - at < block ? n - at : block);
            all_good = all_good && good(maximum[b]);
            any = any || maximum[b] > lowest_value<V>();
        }
        return all_good && any;
    }
    FS_INLINE void add(CompensatedSum &total, double sum, std::int32_t n) {
        if (n > highest) {
            total.scale(power_of_two(highest - n));
            highest = n;
        }
        total.add(sum * power_of_two(n - highest));
    }

    static FS_INLINE bool good(T m) {
        return m < Weight::limit() && (m > -Weight::limit() || m == lowest_value<V>());
    }
};

} // namespace fastsoftmax
