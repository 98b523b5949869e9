// float16 and bfloat16 to float32 and back, one at a time and without floating-point modes.
//
// Vector units convert natively (vec/*.hpp); this is for scalar units, and it says what the others
// have to give. Widening is exact. Narrowing rounds once, to nearest, ties to even; it overflows to
// infinity and keeps denormals of float16. Kernels run with denormals flushed, so none may occur as
// a float32 operand on the way: half denormals are taken as integers.
#pragma once
#include "common/config.hpp"
#include "fastsoftmax/half.hpp"

namespace fastsoftmax {

FS_INLINE float widened(float16 h) {
    const std::uint32_t sign = (h.bits & 0x8000u) << 16, magnitude = h.bits & 0x7fffu;
    std::uint32_t bits = (magnitude << 13) + (112u << 23);
    if (magnitude >= 0x7c00u) // infinity and NaN
        bits = (magnitude << 13) | 0x7f800000u;
    else if (magnitude < 0x0400u) // denormal: a multiple of 2^-24
        bits = __builtin_bit_cast(std::uint32_t, static_cast<float>(magnitude) * 0x1p-24f);
    return __builtin_bit_cast(float, bits | sign);
}

FS_INLINE float widened(bfloat16 h) {
    return __builtin_bit_cast(float, static_cast<std::uint32_t>(h.bits) << 16);
}

FS_INLINE void narrow(float f, float16 &h) {
    const auto bits = __builtin_bit_cast(std::uint32_t, f);
    const std::uint32_t magnitude = bits & 0x7fffffffu;
    std::uint32_t half = 0;
    if (magnitude > 0x7f800000u)
        half = 0x7e00u | ((magnitude >> 13) & 0x3ffu); // quiet NaN
    else if (magnitude >= 0x477ff000u)                 // 65520 and more
        half = 0x7c00u;
    else if (magnitude >= 0x38800000u) // 2^-14, the smallest normal
        half = (magnitude + 0xfffu + ((magnitude >> 13) & 1u) - (112u << 23)) >> 13;
    else // floats in [0.5, 1) are 2^-24 apart, as denormals are: the sum rounds for us
        half = __builtin_bit_cast(std::uint32_t, __builtin_bit_cast(float, magnitude) + 0.5f) -
               0x3f000000u;
    h.bits = static_cast<std::uint16_t>(half | ((bits >> 16) & 0x8000u));
}

FS_INLINE void narrow(float f, bfloat16 &h) {
    const auto bits = __builtin_bit_cast(std::uint32_t, f);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        h.bits = static_cast<std::uint16_t>((bits >> 16) | 0x40u); // rounding could end NaN
    else
        h.bits = static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

} // namespace fastsoftmax
