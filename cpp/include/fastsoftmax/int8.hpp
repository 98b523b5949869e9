// Softmax of int8 logits, in integers: HCCS with calibrated heads, and exp in a byte table.
//
//   fastsoftmax::int8::Head head{.B = 600, .S = 9, .Dmax = 63};
//   fastsoftmax::int8::hccs<std::int16_t>(x, y, rows, columns, head);          // mode "wide"
//   fastsoftmax::int8::softmax<std::uint8_t>(x, y, rows, columns, scale);      // table "u16"
//
// Same bits on every instruction set and for every number of threads. Errors as in fastsoftmax.hpp;
// nothing is written then. y must not overlap x, the mask or the parameters, and its elements lie
// apart as those of `online`.
#pragma once
#include "fastsoftmax/fastsoftmax.hpp"
#include <cstdint>

namespace fastsoftmax::int8 {

/// The parameters of an attention head: s = B - S * min(max - x, Dmax).
struct Head {
    std::int32_t B, S, Dmax;
};

/// The condition that a head violates in a mode and for rows of n, in words, or "".
std::string problem_of(const Head &head, std::string_view mode, std::size_t n);

/// Where elements take part: uint8_t, 0 for no. No data: everywhere. Strides may be 0.
using Mask = Array<const std::uint8_t>;

/// HCCS along the last dimension, whose elements lie side by side. `heads` has the dimensions of x
/// but the last, strides of 0 where rows share a head. options.variant is the mode: "wide" (Out
/// int16_t or uint8_t), "i16+div", "i16+clb" (int16_t), "i8+div" or "i8+clb" (uint8_t).
template <class Out>
void hccs(Array<const std::int8_t> x, Array<const Head> heads, Mask mask, Array<Out> y,
          Options options);

/// Softmax of scale * x along the last dimension, by a table of exp; scales as `heads` above, each
/// finite and above 0. options.variant is "u8" or "u16", Out uint8_t (full 255) or int16_t (32767).
/// "u8" may be far from softmax but in the shortest rows: see common/int8_exp_table.hpp.
template <class Out>
void softmax(Array<const std::int8_t> x, Array<const double> scales, Mask mask, Array<Out> y,
             Options options);

/// The same of contiguous rows that share their parameters.
template <class Out>
void hccs(const std::int8_t *x, Out *y, std::size_t rows, std::size_t n, const Head &head,
          Options options = {.variant = "wide"}) {
    const std::size_t shape[] = {rows, n};
    const auto row = static_cast<std::ptrdiff_t>(n), size = std::ptrdiff_t{sizeof(Out)};
    const auto all = static_cast<std::ptrdiff_t>(n * sizeof(Out)); // n that wraps here is refused
    const std::ptrdiff_t bytes[] = {row, 1}, results[] = {all, size}, none[] = {0};
    hccs<Out>({x, shape, bytes}, {&head, {shape, 1}, none}, {}, {y, shape, results}, options);
}
template <class Out>
void softmax(const std::int8_t *x, Out *y, std::size_t rows, std::size_t n, double scale,
             Options options = {.variant = "u16"}) {
    const std::size_t shape[] = {rows, n};
    const auto row = static_cast<std::ptrdiff_t>(n), size = std::ptrdiff_t{sizeof(Out)};
    const auto all = static_cast<std::ptrdiff_t>(n * sizeof(Out)); // n that wraps here is refused
    const std::ptrdiff_t bytes[] = {row, 1}, results[] = {all, size}, none[] = {0};
    softmax<Out>({x, shape, bytes}, {&scale, {shape, 1}, none}, {}, {y, shape, results}, options);
}

} // namespace fastsoftmax::int8
