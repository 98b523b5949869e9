// The truth about a row, in a wider type than the kernels': double for float, long double for
// double.
#pragma once
#include "check/cases.hpp"
#include "dispatch/kernel_for.hpp"

#include <cmath>
#include <map>
#include <string_view>
#include <type_traits>
#include <vector>

namespace check {

template <class T> using Wide = std::conditional_t<sizeof(T) == 4, double, long double>;

/// Denormal logits count as zero: kernels flush them.
template <class T> T flushed(T x) { return std::fpclassify(x) == FP_SUBNORMAL ? T(0) : x; }

/// One row: its maximum and, when that is finite, e^(x - m) and their sum.
template <class T> struct RowTruth {
    T m;
    bool nan = false, infinite = false, empty = false; // empty: no element above -inf
    std::vector<Wide<T>> e;
    Wide<T> s = 0;
    bool ordinary() const { return !nan && !infinite && !empty; }
};

template <class T> RowTruth<T> truth_of(const T *x, std::size_t n) {
    RowTruth<T> truth;
    truth.m = -INFINITY;
    for (std::size_t i = 0; i < n; ++i) {
        truth.nan = truth.nan || std::isnan(x[i]);
        if (x[i] > truth.m)
            truth.m = x[i];
    }
    truth.infinite = truth.m == INFINITY;
    truth.empty = truth.m == -INFINITY && !truth.nan;
    if (!truth.ordinary())
        return truth;
    truth.e.resize(n);
    constexpr std::size_t block = 1024; // sums in blocks, to lose nothing in long rows
    for (std::size_t at = 0; at < n; at += block) {
        Wide<T> sum = 0;
        for (std::size_t i = at; i < std::min(n, at + block); ++i) {
            const Wide<T> d = static_cast<Wide<T>>(flushed(x[i])) - flushed(truth.m);
            sum += truth.e[i] = std::exp(d);
        }
        truth.s += sum;
    }
    return truth;
}

/// The `weight` kernel of the same ISA and variant: what `online` and the others must agree with.
template <class T> const fastsoftmax::Kernel *weight_kernel(const fastsoftmax::Kernel &kernel) {
    return fastsoftmax::find_kernel("weight", kernel.variant.name,
                                    sizeof(T) == 4 ? "float32" : "float64", kernel.isa);
}

} // namespace check
