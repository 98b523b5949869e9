// One element (i, j) of a Heinsen state whose values are given as logarithms: eq. 5 of arXiv
// 2404.05843, with H_S = M + log S kept as a maximum and a sum, and what an answer makes of them.
// kernels/heinsen/log_values.hpp has formula, error and edges.
#pragma once
#include "common/heinsen.hpp"

namespace fastsoftmax {

/// sum + x, and by how much more than that the new sum is (Kahan).
template <class V> FS_INLINE void accumulate(V &sum, V &over, V x) {
    const V missing = x - over, next = sum + missing;
    over = (next - sum) - missing;
    sum = next;
}

template <class V> struct HeinsenLogSum {
    V top, sum, over;

    /// Adds exp(exponent).
    FS_INLINE void add(const TwoSum<V> &exponent) {
        const ExactWeight<V, Shift::none> weight{typename V::scalar(0)};
        const V one = V::set(1), zero = V::set(0), error = exponent.error;
        const V higher = V::max(top, exponent.sum);
        const V rises = V::greater(exponent.sum, top), stays = one - rises;
        // the lower of the two in units of the higher, whose own weight is exp(error) or 1
        const V low = weight((V::min(top, exponent.sum) - higher) + V::fnma(rises, error, error));
        const V high = V::fma(V::fma(error, V::set(0.5), one), error, one);
        const V factor = V::zero_where_le(low, rises, zero) + stays;
        sum = sum * factor;
        over = over * factor;
        accumulate(sum, over,
                   V::zero_where_le(high, rises, zero) + V::zero_where_le(low, stays, zero));
        top = higher;
    }
};

/// x, or the finite number that stands for -inf, so that no difference is inf - inf; it weighs
/// nothing beside numbers.
template <class V> FS_INLINE V heinsen_finite(V x, double lowest) {
    return V::max(V::set(lowest), x);
}

/// mixed * exp(exponent), by halves since the whole may be beyond the range of a weight; inf beyond
/// that of numbers. The error comes first: with inf it would be NaN. It is small where y is a
/// number.
template <class V> FS_INLINE V heinsen_exponential(V mixed, const TwoSum<V> &exponent) {
    constexpr double most = sizeof(typename V::scalar) == 4 ? 88 : 700;
    const V half = V::min(V::set(most), V::set(0.5) * exponent.sum);
    const V e = ExactWeight<V, Shift::none>{typename V::scalar(0)}(half);
    const V error = V::max(V::set(-0.5), V::min(V::set(0.5), exponent.error));
    return (V::fma(mixed, error, mixed) * e) * e;
}

} // namespace fastsoftmax
