// Natural logarithm of a sum of weights: positive, normal, in double.
//
//   x = 2^k * f, sqrt(1/2) <= f < sqrt(2);  log f = 2 atanh(s) = 2 (s + s^3/3 + s^5/5 + ...),
//   s = (f - 1) / (f + 1), |s| <= 0.1716
//
// Eleven terms leave 7e-19; with the roundings about one unit in the last place. Kernels can't call
// the C library's: an instruction set's object must need nothing from outside.
#pragma once
#include "common/config.hpp"
#include <cstdint>

namespace fastsoftmax {

/// NaN and +inf come back as they are.
FS_INLINE double log_of_sum(double x) {
    if (!(x < __builtin_inf()))
        return x;
    const auto bits = __builtin_bit_cast(std::int64_t, x);
    constexpr std::int64_t root_half = 0x3fe6a09e667f3bcd;
    const std::int64_t k = (bits - root_half) >> 52;
    const double f = __builtin_bit_cast(double, bits - (k << 52));
    const double s = (f - 1) / (f + 1), z = s * s;
    double series = 0;
    for (int odd = 21; odd > 1; odd -= 2)
        series = (series + 1.0 / odd) * z;
    const double high = static_cast<double>(k) * 0x1.62e42feep-1; // exact: 21 zero bits at its end
    return high + (2 * (s + s * series) + static_cast<double>(k) * 0x1.a39ef35793c76p-33);
}

} // namespace fastsoftmax
