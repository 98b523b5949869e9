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
#pragma once
#include "common/weights/exp.hpp"
#include "common/weights/variants.hpp"
#include <cstddef>

namespace fastsoftmax {

template <class T> struct MaxSum {
    T m, s;
};

/// What s, and o with it, is multiplied by when m rises to M. Neither is -inf, or NaN comes of it.
template <class V> FS_INLINE V rise_factor(V m, V M) {
    return ExactWeight<V, false>{typename V::scalar(0)}(m - M);
}

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
    typename Variant::template Weight<V, false> weight{T(0)};
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
