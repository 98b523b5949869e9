// NEON (Advanced SIMD) of any Armv8-A: 16 bytes, words in two registers, in order.
#pragma once
#include "vec/int8_concept.hpp"
#include <arm_neon.h>

namespace fastsoftmax::FS_ISA {
namespace {

struct I8Words {
    uint16x8_t low, high;

    static FS_INLINE I8Words set(int a) {
        const uint16x8_t all = vdupq_n_u16(static_cast<std::uint16_t>(a));
        return {all, all};
    }
    static FS_INLINE I8Words spread(std::int32_t two) { return set(two); }
    friend FS_INLINE I8Words operator+(I8Words a, I8Words b) {
        return {vaddq_u16(a.low, b.low), vaddq_u16(a.high, b.high)};
    }
    friend FS_INLINE I8Words operator-(I8Words a, I8Words b) {
        return {vsubq_u16(a.low, b.low), vsubq_u16(a.high, b.high)};
    }
    friend FS_INLINE I8Words operator&(I8Words a, I8Words b) {
        return {vandq_u16(a.low, b.low), vandq_u16(a.high, b.high)};
    }
    friend FS_INLINE I8Words operator<<(I8Words a, int k) {
        const int16x8_t count = vdupq_n_s16(static_cast<std::int16_t>(k));
        return {vshlq_u16(a.low, count), vshlq_u16(a.high, count)};
    }
    friend FS_INLINE I8Words operator>>(I8Words a, int k) { return a << -k; }
    static FS_INLINE int count(std::int32_t two) { return static_cast<std::uint16_t>(two); }
    static FS_INLINE I8Words mul_low(I8Words a, I8Words b) {
        return {vmulq_u16(a.low, b.low), vmulq_u16(a.high, b.high)};
    }
    static FS_INLINE I8Words mul_high(I8Words a, I8Words b) {
        return {mul_high(a.low, b.low), mul_high(a.high, b.high)};
    }
    static FS_INLINE I8Words mul_rounded(I8Words a, I8Words b) {
        return {mul_rounded(a.low, b.low), mul_rounded(a.high, b.high)};
    }
    static FS_INLINE I8Words min(I8Words a, I8Words b) {
        return {vminq_u16(a.low, b.low), vminq_u16(a.high, b.high)};
    }
    static FS_INLINE I8Words mul_high32(I8Words a, I8Words high, I8Words low) {
        return {mul_high32(a.low, high.low, low.low), mul_high32(a.high, high.high, low.high)};
    }
    static FS_INLINE I8Words half(I8Words a) {
        return {vrshrq_n_u16(a.low, 1), vrshrq_n_u16(a.high, 1)};
    }
    static FS_INLINE I8Words load(const std::int16_t *p) {
        return {vreinterpretq_u16_s16(vld1q_s16(p)), vreinterpretq_u16_s16(vld1q_s16(p + 8))};
    }
    FS_INLINE void store(std::int16_t *to) const {
        vst1q_s16(to, vreinterpretq_s16_u16(low));
        vst1q_s16(to + 8, vreinterpretq_s16_u16(high));
    }
    FS_INLINE void store_n(std::int16_t *to, std::size_t n) const {
        std::int16_t copy[16];
        store(copy);
        for (std::size_t i = 0; i < n; ++i)
            to[i] = copy[i];
    }

  private:
    static FS_INLINE uint16x8_t mul_high(uint16x8_t a, uint16x8_t b) {
        const uint32x4_t low = vmull_u16(vget_low_u16(a), vget_low_u16(b));
        const uint32x4_t high = vmull_high_u16(a, b);
        return vuzp2q_u16(vreinterpretq_u16_u32(low), vreinterpretq_u16_u32(high));
    }
    static FS_INLINE uint16x8_t mul_rounded(uint16x8_t a, uint16x8_t b) {
        // doubles, rounds and takes the high half: the same for factors that aren't both -2^15
        return vreinterpretq_u16_s16(
            vqrdmulhq_s16(vreinterpretq_s16_u16(a), vreinterpretq_s16_u16(b)));
    }
    static FS_INLINE uint16x8_t mul_high32(uint16x8_t a, uint16x8_t high, uint16x8_t low) {
        // half of the sum of the lower parts and 1: its highest bit is what they carry
        const uint16x8_t half = vrhaddq_u16(vmulq_u16(a, high), mul_high(a, low));
        return vsraq_n_u16(mul_high(a, high), half, 15);
    }
};

struct I8 {
    using scalar = std::int8_t;
    using Words = I8Words;
    using Sums = uint32x4_t;
    static constexpr int lanes = 16, folds = 1;
    uint8x16_t v;

    static FS_INLINE I8 set(int a) { return {vdupq_n_u8(static_cast<std::uint8_t>(a))}; }
    static FS_INLINE I8 spread(std::int32_t four) { return set(four); }
    static FS_INLINE I8 load(const std::int8_t *p) { return {vreinterpretq_u8_s8(vld1q_s8(p))}; }
    static FS_INLINE I8 load_n(const std::int8_t *p, std::size_t n) {
        return {vbslq_u8(first(n).v, read_n(p, n), set(-128).v)};
    }
    static FS_INLINE I8 unmasked(const std::uint8_t *p) { return not_zero(vld1q_u8(p)); }
    static FS_INLINE I8 unmasked_n(const std::uint8_t *p, std::size_t n) {
        return not_zero(read_n(p, n));
    }
    static FS_INLINE I8 first(std::size_t n) {
        static constexpr std::uint8_t place[lanes] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                      8, 9, 10, 11, 12, 13, 14, 15};
        return {vcltq_u8(vld1q_u8(place), set(static_cast<int>(n)).v)};
    }
    static FS_INLINE I8 last(std::size_t n) { return set(-1) - first(lanes - n); }
    FS_INLINE void store(std::uint8_t *to) const { vst1q_u8(to, v); }
    FS_INLINE void store_n(std::uint8_t *to, std::size_t n) const {
        std::uint8_t copy[lanes];
        store(copy);
        __builtin_memcpy(to, copy, n);
    }
    friend FS_INLINE I8 operator-(I8 a, I8 b) { return {vsubq_u8(a.v, b.v)}; }
    friend FS_INLINE I8 operator&(I8 a, I8 b) { return {vandq_u8(a.v, b.v)}; }
    static FS_INLINE I8 where(I8 k, I8 a, I8 b) { return {vbslq_u8(k.v, a.v, b.v)}; }
    static FS_INLINE I8 max(I8 a, I8 b) {
        return {vreinterpretq_u8_s8(vmaxq_s8(vreinterpretq_s8_u8(a.v), vreinterpretq_s8_u8(b.v)))};
    }
    static FS_INLINE I8 min(I8 a, I8 b) { return {vminq_u8(a.v, b.v)}; }
    static FS_INLINE I8 low_nibble(I8 a) { return a & set(15); }
    static FS_INLINE I8 high_nibble(I8 a) { return {vshrq_n_u8(a.v, 4)}; }
    static FS_INLINE I8 table16(const std::uint8_t *entries) { return {vld1q_u8(entries)}; }
    static FS_INLINE I8 lookup16(I8 table, I8 i) { return {vqtbl1q_u8(table.v, i.v)}; }
    static FS_INLINE I8 ordered(I8 a) { return a; }
    static FS_INLINE Words zip(I8 low, I8 high) {
        return {vreinterpretq_u16_u8(vzip1q_u8(low.v, high.v)),
                vreinterpretq_u16_u8(vzip2q_u8(low.v, high.v))};
    }
    static FS_INLINE I8 narrow(Words w) {
        return {vqmovun_high_s16(vqmovun_s16(vreinterpretq_s16_u16(w.low)),
                                 vreinterpretq_s16_u16(w.high))};
    }
    static FS_INLINE Sums no_sums() { return vdupq_n_u32(0); }
    static FS_INLINE Sums add(Sums a, Sums b) { return vaddq_u32(a, b); }
    static FS_INLINE Sums add_bytes(Sums s, I8 a) { return vpadalq_u16(s, vpaddlq_u8(a.v)); }
    static FS_INLINE Sums add_words(Sums s, Words a) {
        return vpadalq_u16(vpadalq_u16(s, a.low), a.high);
    }
    static FS_INLINE void maxima(I8 *v, std::int32_t *m) {
        const auto one = static_cast<std::uint8_t>(vmaxvq_s8(vreinterpretq_s8_u8(v->v)));
        *m = static_cast<std::int32_t>(one * 0x01010101u);
    }
    static FS_INLINE void totals(Sums *s, std::int32_t *t) {
        *t = static_cast<std::int32_t>(vaddvq_u32(*s));
    }

  private:
    static FS_INLINE uint8x16_t read_n(const void *p, std::size_t n) {
        std::uint8_t copy[lanes] = {};
        __builtin_memcpy(copy, p, n);
        return vld1q_u8(copy);
    }
    static FS_INLINE I8 not_zero(uint8x16_t a) { return {vtstq_u8(a, a)}; }
};

} // namespace
} // namespace fastsoftmax::FS_ISA
