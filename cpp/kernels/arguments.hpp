// What each operation takes. One struct an operation and dtype: the registry tells them apart by
// it.
//
// Strides count elements and run between rows; within a row elements are neighbours. Kernels touch
// nothing outside the rows given, and accept any alignment that elements have.
#pragma once
#include "fastsoftmax/half.hpp"
#include <cstddef>
#include <cstdint>

namespace fastsoftmax {

template <class T> inline constexpr const char *dtype_name = nullptr;
template <> inline constexpr const char *dtype_name<float> = "float32";
template <> inline constexpr const char *dtype_name<double> = "float64";
template <> inline constexpr const char *dtype_name<std::int8_t> = "int8";

/// y = softmax(x), row by row. y may be x with the same stride.
template <class T> struct OnlineArguments {
    static constexpr const char *op = "online";
    using scalar = T;
    const T *x;
    std::ptrdiff_t x_stride;
    T *y;
    std::ptrdiff_t y_stride;
    std::size_t rows, n;
};

/// y = log(softmax(x)), row by row. y may be x with the same stride.
template <class T> struct LogSoftmaxArguments {
    static constexpr const char *op = "log_softmax";
    using scalar = T;
    const T *x;
    std::ptrdiff_t x_stride;
    T *y;
    std::ptrdiff_t y_stride;
    std::size_t rows, n;
};

/// m[i] = max of row i, s[i] = sum of the weights of x - m[i]. Without s, m[i] = log-sum-exp.
template <class T> struct NormalizerArguments {
    static constexpr const char *op = "normalizer";
    using scalar = T;
    const T *x;
    std::ptrdiff_t x_stride;
    std::size_t rows, n;
    T *m, *s;
};

/// The same state, one element after another by the recurrence.
template <class T> struct ScanArguments {
    static constexpr const char *op = "scan";
    using scalar = T;
    const T *x;
    std::ptrdiff_t x_stride;
    std::size_t rows, n;
    T *m, *s;
};

/// The k largest of each row in descending order, 1 <= k <= n and at most 64: their probabilities
/// and places in the row, row after row without gaps.
template <class T> struct TopkArguments {
    static constexpr const char *op = "topk";
    using scalar = T;
    const T *x;
    std::ptrdiff_t x_stride;
    std::size_t rows, n;
    T *p;
    std::int64_t *index;
    std::size_t k;
};

/// s_new[i] = one update of the state (m[i], s[i]) by x[i], the whole array `repeats` times.
template <class T> struct UpdateArguments {
    static constexpr const char *op = "update";
    using scalar = T;
    const T *m, *s, *x;
    T *s_new;
    std::size_t n, repeats;
};

/// h[i] = weight of d[i] in a row whose maximum is 0.
template <class T> struct WeightArguments {
    static constexpr const char *op = "weight";
    using scalar = T;
    const T *d;
    T *h;
    std::size_t n;
};

/// The same operations where rows are columns of memory: element i of column c lies at
/// x[i * x_step + c]. An operation reads the part that it needs: y, or m and s.
template <class T> struct ColumnsArguments {
    const T *x;
    std::ptrdiff_t x_step;
    T *z;                  ///< scratch space (columns/scratch.hpp); or x, which is overwritten then
    std::ptrdiff_t z_step; ///< x_step where z is x, else how many columns there is space for
    T *y;
    std::ptrdiff_t y_step;
    T *m, *s;
    std::size_t columns, n;
};

enum class Format { same, float16, bfloat16 }; ///< of an element in memory; `same`: T itself
enum class MaskKind { none, keep, add };       ///< bytes that are 0 or not; values of T to be added

/// z = scale * x [+ mask], -inf where masked out: element i of row o (or the other way round, where
/// columns are wanted). Strides of x and mask in bytes, and neither need be aligned.
template <class T> struct PrologueArguments {
    const void *x;
    Format format;
    std::ptrdiff_t x_outer, x_inner;
    T scale;
    const void *mask;
    MaskKind mask_kind;
    std::ptrdiff_t mask_outer, mask_inner;
    T *z;
    std::ptrdiff_t z_outer; ///< elements; inner ones are neighbours
    std::size_t outer, inner;
};

/// y = factor * z in the format of y.
template <class T> struct EpilogueArguments {
    const T *z;
    std::ptrdiff_t z_outer;
    void *y;
    Format format;
    std::ptrdiff_t y_outer, y_inner; ///< bytes
    std::size_t outer, inner;
    T factor = 1;
};

/// Rows of int8 logits. Positions whose byte of the mask is 0 take no part (no mask: nullptr; its
/// stride may be 0). y holds uint8_t where `bytes`, else int16_t.
struct Int8Arguments {
    const std::int8_t *x;
    std::ptrdiff_t x_stride;
    const std::uint8_t *mask;
    std::ptrdiff_t mask_stride;
    void *y;
    std::ptrdiff_t y_stride;
    std::size_t rows, n;
    bool bytes;
};

/// y = HCCS of x with one head's parameters: see common/hccs.hpp for what they must satisfy.
struct HccsArguments : Int8Arguments {
    static constexpr const char *op = "hccs";
    using scalar = std::int8_t;
    std::int32_t B, S, Dmax;
};

/// y = softmax of scale * x by the table whose factors are A and B: see common/int8_exp_table.hpp.
struct ByteTableArguments : Int8Arguments {
    static constexpr const char *op = "int8";
    using scalar = std::int8_t;
    std::int16_t A[16], B[16];
};

} // namespace fastsoftmax
