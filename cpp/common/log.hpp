// Natural logarithm of a sum of weights: positive, normal, in double.
//
//   x = 2^k * f, sqrt(1/2) <= f < sqrt(2);  log f = 2 atanh(s) = 2 (s + s^3/3 + s^5/5 + ...),
//   s = (f - 1) / (f + 1), |s| <= 0.1716
//
// Eleven terms leave 7e-19; with the roundings about one unit in the last place. Kernels can't call
// the C library's: an instruction set's object must need nothing from outside.
//
// Without a branch, and integers as AVX2 has them, so that loops over sums are vectorised: one call
// of std::log takes as long as the weights of 20 elements. Rejected: lanes of floats, log f by a
// polynomial of degree 7: faster for short rows, but m + log s is not rounded once.
#pragma once
#include "common/config.hpp"
#include <cstddef>
#include <cstdint>

namespace fastsoftmax {

/// NaN where x is no number.
FS_INLINE double log_of_sum(double x) {
    const auto bits = __builtin_bit_cast(std::uint64_t, x);
    constexpr std::uint64_t root_half = 0x3fe6a09e667f3bcd, one = 0x3ff0000000000000;
    const std::uint64_t exponent = (bits - root_half + one) >> 52; // k + 1023
    const double f = __builtin_bit_cast(double, bits - (exponent << 52) + one);
    const double k = __builtin_bit_cast(double, exponent | 0x4330000000000000) - (0x1p52 + 1023);
    const double s = (f - 1) / (f + 1), z = s * s;
    double series = 0;
#pragma GCC unroll 10
    for (int odd = 21; odd > 1; odd -= 2)
        series = (series + 1.0 / odd) * z;
    const double high = k * 0x1.62e42feep-1; // exact: 21 zero bits at its end
    const double low = 2 * (s + s * series) + k * 0x1.a39ef35793c76p-33;
    return high + (low + (x - x));
}

/// Of several, in their place. A loop that does anything else, be it a conversion, isn't
/// vectorised.
/// Not inlined, and V is only there to keep the copies of instruction sets apart.
template <class V> __attribute__((noinline)) void take_logs(double *sums, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i)
        sums[i] = log_of_sum(sums[i]);
}

} // namespace fastsoftmax
