// Softmax of int8 logits by a table of exp: no calibration, no exp per element.
//
//   T[d] = (A[d >> 4] * B[d & 15] + 2^14) >> 15       d = m - x, m the maximum of the row
//   A[i] = round(32767 exp(-16 scale i)), B[i] = round(32767 exp(-scale i))
//   u16: e = T[d]        u8: e = (255 T[d] + 2^14) >> 15        Z = sum of e
//   p = ((e * q >> b) + r) >> k, b = 15 (u16) or 8 (u8), r = 2^(k - 1), and q and k from Z by
//   row_scale() below, so that q * 2^-(b + k) is full / Z to 15 bits
//
// A product of two tables of sixteen, which every byte shuffle takes, is the definition on every
// ISA, so all bits agree; where wider permutes exist the table is built from it once. Where a row
// has more than 65536 elements (u16) or 2^23 (u8) Z is halved until it fits 31 bits, upwards: that
// adds less than n / 2^(31 - b) to Z.
//
// Errors, with w = exp(-scale d), which is a product of a and b, both at most 1. A and B are
// rounded, and so is their product: T[d] is within 0.5 (a + b) + 0.5 of T[0] w = 32766 w, which is
// at most 1 + w / 2, since a + b <= 1 + a b. A byte is within 0.51 + 0.02 w of 255 w. p is within
// 0.6 (full 255) or 2 (full 32767: q has 15 bits, and a product is cut) of full * e / Z.
//
// Against softmax: let each of m entries beside the maximum be within E of its weight. Then a
// probability is within m E / (1 + m E) of its true value. The worst that entries can do is to be 0
// where all weights are E. E is 3.1e-5 (u16) or 2.1e-3 (u8), with what halving adds. The errors in
// proportion to w move a probability by less than half a unit of 32767 more.
#pragma once
#include "common/claims.hpp"
#include "common/config.hpp"
#include <cstddef>
#include <cstdint>

namespace fastsoftmax {

/// A[i] and B[i] for softmax of scale * x, the same on CPU and CUDA. For those who call kernels: an
/// ISA's object calls no library. Powers by products take 2 exps in place of 32, half a
/// microsecond. Their 16 roundings of a double decide where the power lies within 1e-9 of a half,
/// nowhere else.
inline void fill_exp_factors(std::int16_t (&A)[16], std::int16_t (&B)[16], double scale) {
    const double coarse = __builtin_exp(-16 * scale), fine = __builtin_exp(-scale);
    double high = 32767, low = 32767;
    for (int i = 0; i < 16; ++i, high *= coarse, low *= fine) {
        A[i] = static_cast<std::int16_t>(high + 0.5);
        B[i] = static_cast<std::int16_t>(low + 0.5);
    }
}

/// The weight of a d whose factors are a and b, in 8 bits or 15.
FS_INLINE int table_weight(int a, int b, int bits) {
    const int product = (a * b + 0x4000) >> 15;
    return bits == 8 ? (255 * product + 0x4000) >> 15 : product;
}

/// What a row's weights are multiplied by and shifted by.
struct RowScale {
    std::int32_t q, round, shift;
};

/// full * 2^c / Z as a factor of 15 or 16 bits and a shift. `halvings`: how often Z was halved.
template <int EntryBits, int Full> FS_INLINE RowScale row_scale(std::int32_t total, int halvings) {
    const std::int32_t bits = __builtin_bit_cast(std::int32_t, static_cast<float>(total));
    const float mantissa = __builtin_bit_cast(float, (bits & 0x7fffff) | 0x3f800000);
    constexpr int extra = Full == 255 ? 7 : 0; // Full * 2^extra / mantissa has 15 bits
    const int k = (bits >> 23) - 127 + halvings + extra - EntryBits;
    const auto q = static_cast<std::int32_t>(static_cast<float>(Full << extra) / mantissa + 0.5f);
    const int shift = k < 0 ? 0 : k > 16 ? 16 : k;
    // from a shift of 17 on all is 0; at least -1 where Z is one weight
    const std::int32_t round = k > 16 ? 0 : (std::int32_t{1} << shift) >> 1;
    return {k < 0 ? 2 * q : q, round, shift};
}

/// How often the sum of a row of n weights of so many bits is halved to fit 31 bits.
FS_INLINE int halvings_of(std::size_t n, int bits) {
    int halvings = 0;
    while ((std::size_t{1} << (31 - bits) << halvings) < n)
        ++halvings;
    return halvings;
}

/// The sum halved, upwards: cut, it could be less than its largest weight, and p above full.
FS_INLINE std::uint64_t halved(std::uint64_t sum, int halvings) {
    return (sum + ((std::uint64_t{1} << halvings) - 1)) >> halvings;
}

namespace byte_table {

constexpr VariantInfo table_info(const char *name, int operations, const char *source) {
    return claims::exact_bits(name, "A[d >> 4]*B[d & 15]", operations, source);
}

struct u8 {
    static constexpr VariantInfo info() { return table_info("u8", 9, "exp in a table of bytes"); }
    static constexpr int bits = 8;
};
struct u16 {
    static constexpr VariantInfo info() { return table_info("u16", 8, "exp in a table of words"); }
    static constexpr int bits = 15;
};

} // namespace byte_table
} // namespace fastsoftmax
