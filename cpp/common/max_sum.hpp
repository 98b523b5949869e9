// The monoid at the centre: (m, s), the maximum seen so far and the sum of weights below it.
//
//   (m1, s1) + (m2, s2) = (M, s1 * w(m1 - M) + s2 * w(m2 - M)),   M = max(m1, m2)
//
// Associative and commutative, with (-inf, 0) as its neutral element, so lanes, blocks, threads and
// machines can all be merged by it. One logit x is the state (x, w(0)); adding it is the online
// update of Milakov and Gimelshein (arXiv 1805.02867) with one exponential in place of two, since
// either m or x is the new maximum and its factor is 1.
//
// Values may be carried along, (m, s, o) with o = sum of weight times value: o merges as s does.
// That is the state of attention, and for each key feature that of common/heinsen.hpp.
//
// In place of m a sum may be relative to 2^n, n = floor(m log2 e) of some m (weights/exp.hpp): the
// factors of a merge are powers of two then, and exact. Which of the two a merge uses is its
// policy, ByExp or ByPowersOfTwo.
#pragma once
#include "common/weights/exp.hpp"
#include "common/weights/variants.hpp"
#include <cstddef>
#include <cstdint>

namespace fastsoftmax {

/// 2^k for k <= 0, and 0 where that is no normal double.
FS_INLINE double negative_power_of_two(std::int32_t k) {
    return k < -1022 ? 0.0 : __builtin_bit_cast(double, static_cast<std::uint64_t>(1023 + k) << 52);
}
/// The same in every lane, for integral k, and 1 for k > 0. Those are met only where a sum is 0.
template <class V> FS_INLINE V negative_power_of_two(V k) {
    using C = ExpConstants<typename V::scalar>;
    constexpr auto none = 1 - C::one_above_bias;
    const V known = V::min(V::max(k, V::set(none)), V::set(0.0));
    return V::power_of_two(known + V::set(C::magic - none));
}

/// The exponent of a sum of nothing: below all others, and far enough to count as nothing there.
inline constexpr std::int32_t exponent_of_nothing = -1 << 20;

/// The factor of sums relative to maxima that rise from `low` to `high`. Neither is -inf, or NaN
/// comes of it.
struct ByExp {
    template <class V> FS_INLINE V operator()(V low, V high) const {
        return ExactWeight<V, Shift::none>{typename V::scalar(0)}(low - high);
    }
};

/// The factor of sums relative to powers of two whose exponents rise from `low` to `high`.
struct ByPowersOfTwo {
    template <class Exponent> FS_INLINE auto operator()(Exponent low, Exponent high) const {
        return negative_power_of_two(low - high);
    }
};

/// A sum of weights and what it is relative to. Sums are numbers, vectors of them, or keep aside
/// what they round off (compensated_sum.hpp).
template <class Reference, class Sum = Reference> struct MaxSum {
    Reference m;
    Sum s;

    /// Makes the sum relative to `top`, which isn't below m. What is carried along must be
    /// multiplied by the result.
    template <class Policy> FS_INLINE auto rise_to(Reference top, const Policy &policy) {
        const auto factor = policy(m, top);
        if constexpr (requires { s.scale(factor); })
            s.scale(factor);
        else
            s = s * factor;
        m = top;
        return factor;
    }

    /// Adds the sum of another state. References are single numbers.
    template <class Part, class Policy>
    FS_INLINE void merge(const MaxSum<Reference, Part> &other, const Policy &policy) {
        if (other.m > m)
            rise_to(other.m, policy);
        const Part share = other.s * policy(other.m, m);
        if constexpr (requires { s.add(share); })
            s.add(share);
        else
            s += share;
    }
};

/// The state of a row whose maximum m is infinite: (-inf, 0) for a row of nothing, (+inf, NaN)
/// where inf - inf would have to be known, and (NaN, NaN) where there is a NaN.
template <class T>
FS_INLINE MaxSum<T> state_at_infinity(const T *x, std::size_t n, T m, std::ptrdiff_t step = 1) {
    for (std::size_t i = 0; i < n; ++i, x += step)
        if (*x != *x)
            return {*x, *x};
    return {m, m > 0 ? static_cast<T>(__builtin_nan("")) : T(0)};
}

/// Adds one logit to the state, as `Variant` weighs it. V has one lane.
///
/// x is above -inf, or m is: with both at -inf the difference is no number, so callers skip a
/// leading run of -inf.
template <class Variant, class V> struct OnlineUpdate {
    using T = typename V::scalar;
    typename Variant::template Weight<V, Shift::none> weight{T(0)};
    ExpWeight<V, exact_degree<T>> exact{T(0)};
    T weight_of_zero = weight(V::set(0.0)).v;

    FS_INLINE MaxSum<T> operator()(MaxSum<T> state, T x) const {
        const T d = x - state.m;
        // a new maximum is rare in a long row: a branch keeps its rescale off the serial chain
        if (__builtin_expect(d > 0, 0)) {
            const V factor = Variant::rescale == Rescale::by_weight ? weight(V{-d}) : exact(V{-d});
            return {x, V::fma(V{state.s}, factor, V{weight_of_zero}).v};
        }
        return {state.m, state.s + weight(V{d}).v};
    }
};

} // namespace fastsoftmax
