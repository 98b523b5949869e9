// What an instruction set must offer: about twenty operations, and nothing else.
//
// A vector type V holds V::lanes values of type V::scalar. The kernels are written against this
// concept only, so a new ISA is one header with two types, F32 and F64.
//
// Agreements that the kernels rely on:
//  - max(a, b) and min(a, b) return b when either is NaN. Constants go first, data second, where
//    NaN must survive; data first, accumulator second, where NaN must be passed over.
//  - fma, fnma and fms round once where `fused` says so, else twice: never by the compiler's
//  choice.
//  - load_n fills the lanes beyond n with a value that is neutral for the reduction at hand.
#pragma once
#include "common/config.hpp"
#include "fastsoftmax/half.hpp"
#include <concepts>
#include <cstddef>

namespace fastsoftmax {

template <class V>
concept Vector = requires(V a, V b, const typename V::scalar *from, typename V::scalar *to,
                          std::size_t n, typename V::scalar fill) {
    requires std::same_as<typename V::scalar, float> || std::same_as<typename V::scalar, double>;
    { V::lanes } -> std::convertible_to<int>;
    { V::fused } -> std::convertible_to<bool>;
    { V::set(1.0) } -> std::same_as<V>;              // a constant in every lane
    { V::load(from) } -> std::same_as<V>;            // unaligned
    { V::load_n(from, n, fill) } -> std::same_as<V>; // n < lanes; touches nothing beyond n
    { a.store(to) } -> std::same_as<void>;
    { a.store_n(to, n) } -> std::same_as<void>; // n < lanes; touches nothing beyond n
    { a + b } -> std::same_as<V>;
    { a - b } -> std::same_as<V>;
    { a * b } -> std::same_as<V>;
    { V::fma(a, b, b) } -> std::same_as<V>;  // a * b + c
    { V::fnma(a, b, b) } -> std::same_as<V>; // c - a * b
    { V::fms(a, b, b) } -> std::same_as<V>;  // a * b - c
    { V::max(a, b) } -> std::same_as<V>;
    { V::min(a, b) } -> std::same_as<V>;
    { V::abs(a) } -> std::same_as<V>;
    { V::greater(a, b) } -> std::same_as<V>;             // a > b ? 1 : 0
    { V::greater_mask(a, b) } -> std::same_as<unsigned>; // bit i: a > b in lane i
    { V::zero_where_le(a, b, b) } -> std::same_as<V>;    // b <= edge ? 0 : a
    { V::power_of_two(a) } -> std::same_as<V>;           // its exponent: the low mantissa bits of a
    { V::reduce_max(a) } -> std::same_as<typename V::scalar>;
    { V::reduce_add(a) } -> std::same_as<double>; // widened before it is added up
};

/// What brings logits into a float or double vector: masks, and for floats the half types.
template <class V>
concept Adapts = requires(V a, const std::uint8_t *keep) {
    { V::lowest_where_le(a, a, a) } -> std::same_as<V>; // b <= edge ? -inf : a
    { V::lowest_unless(a, keep) } -> std::same_as<V>;   // keep[i] ? a : -inf
};
template <class V>
concept Converts = requires(V a, float16 *half, bfloat16 *bhalf) {
    { V::widen(half) } -> std::same_as<V>; // exact
    { V::widen(bhalf) } -> std::same_as<V>;
    { a.narrow_to(half) } -> std::same_as<void>; // to nearest, ties to even; half denormals stay
    { a.narrow_to(bhalf) } -> std::same_as<void>;
};

/// What an ISA may offer beside: folding as many vectors as there are lanes into one, so that short
/// rows share their horizontal reductions (kernels/rows/short.hpp).
template <class V>
concept FoldsRows = requires(V v, V (*f)(V, V)) {
    { V::fold(&v, f) } -> std::same_as<V>;   // lane i is f over the lanes of v[i]
    { V::reciprocal(v) } -> std::same_as<V>; // 1 / a, correctly rounded
};

/// The same for half as many vectors as there are lanes (kernels/heinsen/block_product.hpp).
template <class V>
concept FoldsEight = V::lanes == 16 && requires(V v, V (*f)(V, V)) {
    { V::fold_eight(&v, f) } -> std::same_as<V>; // lane i < 8 is f over the lanes of v[i]
};

/// Stores past the cache, for results too many to stay there (kernels/rows/streamed.hpp).
template <class V>
concept Streams = requires(V v, typename V::scalar *to) {
    { v.stream(to) } -> std::same_as<void>; // `to` is aligned to the vector
    { V::stream_fence() } -> std::same_as<void>;
};

} // namespace fastsoftmax
