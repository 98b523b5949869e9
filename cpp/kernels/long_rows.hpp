// Softmax of long rows in one pass over the logits: blocks with maxima of their own, merged after.
//
// A row beyond the cache would be read twice, for its maximum and for its weights. Here each block
// takes both while it is in L1 and leaves a state: the power of two n that its weights are relative
// to (exp.hpp), and their sum. States merge as the monoid does (common/monoid.hpp), except that a
// factor is a power of two and so exact. A last pass multiplies each block by its own factor.
// Blocks are of one size and know nothing of each other: any split of a row at their edges has
// these bits.
//
// For exp only: surrogates' weights relative to two maxima can't be compared. The row must not be
// in place: a block beyond exp's `limit`, or with NaN or +inf, sends the caller back to the logits.
// Time against three passes, AVX-512 and AVX2: 1 x 1048576 0.79x and 0.92x, 1 x 524288 0.82x and
// 0.93x; 1.00x to 1.04x on rows of 16384 to 262144.
#pragma once
#include "common/variants.hpp"
#include "kernels/arguments.hpp"
#include "kernels/row_passes.hpp"
#include <cstdint>

namespace fastsoftmax {

template <class V> class LongRows {
    using T = typename V::scalar;
    using Weight = ExactWeight<V, false>;
    static constexpr std::size_t block = 4096, most_blocks = 16384;

  public:
    /// Where logits and results together leave an L2 cache of 2 MiB.
    static constexpr std::size_t shortest = std::size_t{3} << 17;

    static bool takes(const OnlineArguments<T> &a) {
        return a.n >= shortest && a.n <= block * most_blocks && a.x != a.y;
    }

    /// False if the row is none of this class's; y is garbage then.
    static FS_INLINE bool row(const T *x, T *y, std::size_t n) {
        std::int32_t exponent[most_blocks];
        std::int32_t highest = lowest_exponent;
        CompensatedSum total;
        for (std::size_t b = 0; b * block < n; ++b) {
            const std::size_t at = b * block, size = n - at < block ? n - at : block;
            const T m = row_max<V>(x + at, size);
            exponent[b] = lowest_exponent;
            if (__builtin_expect(m < Weight::limit() && m > -Weight::limit(), 1)) {
                exponent[b] = static_cast<std::int32_t>(V::reduce_max(exp_floor(V::set(m))));
            } else if (m > 0 || m - m == 0) {
                return false;
            }
            // a block of -inf weighs 0 relative to anything, and its NaN shows in the sum
            const Weight weight(exponent[b] == lowest_exponent ? T(0) : m);
            const double sum = weigh<true, V>(weight, x + at, y + at, size);
            if (exponent[b] > highest) {
                total.scale(power_of_two(highest - exponent[b]));
                highest = exponent[b];
            }
            total.add(sum * power_of_two(exponent[b] - highest));
        }
        const double all = total.value();
        if (!(all > 0))
            return false; // nothing but -inf, or a NaN
        for (std::size_t b = 0; b * block < n; ++b) {
            const std::size_t at = b * block, size = n - at < block ? n - at : block;
            scale_row<V>(y + at, size, static_cast<T>(power_of_two(exponent[b] - highest) / all));
        }
        return true;
    }

  private:
    static constexpr std::int32_t lowest_exponent = -1 << 20;

    /// 2^k for k <= 0, and 0 where that is no normal double.
    static FS_INLINE double power_of_two(std::int32_t k) {
        return k < -1022 ? 0.0
                         : __builtin_bit_cast(double, static_cast<std::uint64_t>(1023 + k) << 52);
    }
};

} // namespace fastsoftmax
