// Natural logarithm of a sum of weights, as the sum of two numbers: high is exact and multiplies
// the exponent, low is below 0.37.
//
//   x = 2^k * f, sqrt(1/2) <= f < sqrt(2);  log f = 2 atanh(s), s = (f - 1) / (f + 1)
//
// As common/log.hpp, which takes double and serves here for it; in float, which GPUs have many more
// units for, five terms leave 1e-8 and roundings 4e-8, absolute.
#pragma once
#include "cuda/device/lane.cuh"

#include "common/log.hpp"
#include "common/weights/exp.hpp"

namespace fastsoftmax::cuda {

template <class T> struct Log {
    T high, low;
    FS_INLINE T value() const { return high + low; }
    /// m + log x, rounded once.
    FS_INLINE T plus(T m) const {
        const T sum = m + high, share = sum - m;
        const T lost = (m - (sum - share)) + (high - share);
        return sum + (lost + low);
    }
};

FS_INLINE Log<double> log_pair(double x) { return {0, log_of_sum(x)}; }

/// NaN where x is no number.
FS_INLINE Log<float> log_pair(float x) {
    constexpr std::uint32_t root_half = 0x3f3504f3, one = 0x3f800000;
    const auto bits = __builtin_bit_cast(std::uint32_t, x);
    const std::uint32_t exponent = (bits - root_half + one) >> 23; // k + 127
    const float f = __builtin_bit_cast(float, bits - (exponent << 23) + one);
    const float k = static_cast<float>(static_cast<int>(exponent) - 127);
    const float s = (f - 1) / (f + 1), z = s * s;
    const float series =
        z * (1.0f / 3 + z * (1.0f / 5 + z * (1.0f / 7 + z * (1.0f / 9 + z * (1.0f / 11)))));
    const float low = 2 * (s + s * series) + k * ExpConstants<float>::ln2_low;
    return {k * ExpConstants<float>::ln2_high, low + (x - x)};
}

} // namespace fastsoftmax::cuda
