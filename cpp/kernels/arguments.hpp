// What each operation takes. One struct an operation and dtype: the registry tells them apart by
// it.
//
// Strides count elements and run between rows; within a row elements are neighbours. Kernels touch
// nothing outside the rows given, and accept any alignment that elements have.
#pragma once
#include <cstddef>

namespace fastsoftmax {

template <class T> inline constexpr const char *dtype_name = nullptr;
template <> inline constexpr const char *dtype_name<float> = "float32";
template <> inline constexpr const char *dtype_name<double> = "float64";

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

/// m[i] = max of row i, s[i] = sum of the weights of x - m[i].
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

} // namespace fastsoftmax
