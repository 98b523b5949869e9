// HCCS: head-calibrated clipped-linear softmax of int8 logits. No exp, no table.
//
//   d = m - x, m the maximum of the row      s = B - S * min(d, Dmax)      Z = sum of s
//   i16+div   p = min(s * q, 32767)          q = floor(32767 / Z)
//   i16+clb   p = min(s * q, 32767)          q = 32767 >> floor(log2 Z)
//   i8+div    p = min(s * q >> 15, 255)      q = min(floor((255 << 15) / Z), 32767)
//   i8+clb    p = min(s * q >> 15, 255)      q = min(255 << (15 - floor(log2 Z)), 32767)
//   wide      p = floor((2 * full * s + Z) / (2 * Z)), full 32767 (int16) or 255 (uint8)
//
// Conditions, which the caller has checked: F = B - S * Dmax >= 1 and n * B < 2^31; in the modes
// with q also B, n * B <= 32767, so that Z fits 15 bits and products 16.
//
// All of it is exact, so every ISA gives the same bits. The modes with q divide by Z in float32: a
// correctly rounded quotient of integers, the dividend below 2^24, is cut to the right integer,
// since the true one lies at least 1/Z below the next. `wide` multiplies by a reciprocal of 33
// bits: see Reciprocal. Paper: arXiv 2604.02292; `wide` is ours.
#pragma once
#include "common/claims.hpp"
#include "common/config.hpp"
#include <cstdint>

namespace fastsoftmax {

/// floor(log2 z) of 1 <= z < 2^24.
FS_INLINE int floor_log2(int z) {
    return (__builtin_bit_cast(std::int32_t, static_cast<float>(z)) >> 23) - 127;
}

FS_INLINE int floor_ratio(int dividend, int z) {
    return static_cast<int>(static_cast<float>(dividend) / static_cast<float>(z));
}

/// full / Z of `wide`, to which scores are doubled until B has 16 bits:
///
///   p = (t + 1) >> 1, t = (s * r + 2^16 >> 32) >> shift, s = score << doublings, r = floor(R),
///   R = full * 2^(33 + shift) / (Z << doublings) < 2^33, shift >= 0 as small as Z allows
///
/// full * score / Z + 1/2 is a multiple of 1 / (2 Z), so it is cut to the right integer as long as
/// s * r + 2^16 is at least s * R and exceeds it by less than 2^(32 + shift) / Z = R * 2^doublings
/// / (2 * full). That is above 2^16, as R is above 2^16 * full (Z << doublings has no more than 17
/// + shift bits) and doublings >= 1 (B <= 32767). So r may be at most R, which it is, and 1 + 2^-15
/// below it, as s <= 65534. It is 1 + 2^-17 at most: R comes from one division in float64, 2^-20
/// off, and one more rounding, so 2^-18 is taken off before it is cut.
struct Reciprocal {
    std::int32_t high, low, above, shift; ///< bits 16-31, bits 0-15, -1 where bit 32 is set
};

/// How often B, 1 .. 32767, can be doubled below 2^16.
FS_INLINE int doublings_of(int b) { return __builtin_clz(static_cast<unsigned>(b)) - 16; }

FS_INLINE Reciprocal reciprocal_of(std::int32_t z, int full, int doublings) {
    // with the bit below each set bit cleared, rounding to float can't reach the next power of 2
    const std::int32_t bits = __builtin_bit_cast(std::int32_t, static_cast<float>(z & ~(z >> 1)));
    const int above_16_bits = (bits >> 23) - 127 + doublings - 15;
    const int shift = above_16_bits > 1 ? above_16_bits - 1 : 0;
    const float power = __builtin_bit_cast(float, (127 + 33 + shift - doublings) << 23);
    const double exact = static_cast<double>(full) * static_cast<double>(power) / z;
    const auto above = static_cast<std::int32_t>(exact * 0x1p-32);
    const double rest = exact - 0x1p-18 - above * 0x1p32;
    const auto high = static_cast<std::int32_t>(rest * 0x1p-16);
    return {high, static_cast<std::int32_t>(rest - high * 0x1p16), -above, shift};
}

/// How a mode scales its scores: by the low half of s * q, by a shifted product, or exactly.
enum class HccsScaling { low_half, shifted, nearest };

namespace hccs {

constexpr VariantInfo mode_info(const char *name, int operations, const char *source) {
    return claims::exact_bits(name, "B - S*d", operations, source);
}

inline constexpr const char *paper = "arXiv 2604.02292";

struct i16_div {
    static constexpr VariantInfo info() { return mode_info("i16+div", 5, paper); }
    static constexpr HccsScaling scaling = HccsScaling::low_half;
    static FS_INLINE int quotient(int z) { return floor_ratio(32767, z); }
};
struct i16_clb {
    static constexpr VariantInfo info() { return mode_info("i16+clb", 5, paper); }
    static constexpr HccsScaling scaling = HccsScaling::low_half;
    static FS_INLINE int quotient(int z) { return 32767 >> floor_log2(z); }
};
struct i8_div {
    static constexpr VariantInfo info() { return mode_info("i8+div", 6, paper); }
    static constexpr HccsScaling scaling = HccsScaling::shifted;
    static FS_INLINE int quotient(int z) {
        const int q = floor_ratio(255 << 15, z);
        return q < 32767 ? q : 32767;
    }
};
struct i8_clb {
    static constexpr VariantInfo info() { return mode_info("i8+clb", 6, paper); }
    static constexpr HccsScaling scaling = HccsScaling::shifted;
    static FS_INLINE int quotient(int z) {
        const int q = 255 << (15 - floor_log2(z));
        return q < 32767 ? q : 32767;
    }
};
struct wide {
    static constexpr VariantInfo info() {
        return mode_info("wide", 11, "HCCS with a 32-bit sum, rounded to nearest");
    }
    static constexpr HccsScaling scaling = HccsScaling::nearest;
    static FS_INLINE int quotient(int) { return 0; }
};

} // namespace hccs
} // namespace fastsoftmax
