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
// All of it is exact, so every ISA gives the same bits. The divisions by Z are done in float32: a
// correctly rounded quotient of integers, the dividend below 2^24, is cut to the right integer,
// since the true one lies at least 1/Z below the next. Paper: arXiv 2604.02292; `wide` is ours.
#pragma once
#include "common/config.hpp"
#include "common/variant_info.hpp"
#include <cstdint>

namespace fastsoftmax {

/// Where `nearest` starts: 1/2 less what the estimate may be off by (2^-7 covers three roundings of
/// values up to 32767).
inline constexpr float nearest_start = 0.5f - 0.0078125f;

/// The largest Z for which 3 * Z, which `nearest` has to compare with, fits an int32.
inline constexpr std::int64_t nearest_limit = std::int64_t{1} << 29;

/// floor(log2 z) of 1 <= z < 2^24.
FS_INLINE int floor_log2(int z) {
    return (__builtin_bit_cast(std::int32_t, static_cast<float>(z)) >> 23) - 127;
}

FS_INLINE int floor_ratio(int dividend, int z) {
    return static_cast<int>(static_cast<float>(dividend) / static_cast<float>(z));
}

/// How a mode scales its scores: by the low half of s * q, by a shifted product, or exactly.
enum class HccsScaling { low_half, shifted, nearest };

namespace hccs {

constexpr VariantInfo mode_info(const char *name, int operations, const char *source) {
    return {.name = name,
            .form = "B - S*d",
            .bound = 0,
            .bound_kind = "exact bits",
            .domain = -255,
            .value_at_zero = 1,
            .tail = 0,
            .monotone = true,
            .operations = operations,
            .rescale = "nothing",
            .source = source};
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
