// NEON (Advanced SIMD) of Armv8-A: 4 floats or 2 doubles. Tails go through a small copy, since
// there are no masked loads. max and min are compare and select: vmaxq would return NaN, and the
// kernels rely on the second operand coming back.
#pragma once
#include "fastsoftmax/half.hpp"
#include "vec/concept.hpp"
#include "vec/flush_denormals.hpp"
#include <arm_neon.h>
#include <cstdint>

namespace fastsoftmax::FS_ISA {
namespace {

struct F32 {
    using scalar = float;
    static constexpr int lanes = 4;
    static constexpr bool fused = true;
    float32x4_t v;

    static FS_INLINE F32 set(double a) { return {vdupq_n_f32(static_cast<float>(a))}; }
    static FS_INLINE F32 load(const float *p) { return {vld1q_f32(p)}; }
    static FS_INLINE F32 load_n(const float *p, std::size_t n, float fill) {
        float copy[lanes] = {fill, fill, fill, fill};
        for (std::size_t i = 0; i < n; ++i)
            copy[i] = p[i];
        return load(copy);
    }
    FS_INLINE void store(float *p) const { vst1q_f32(p, v); }
    FS_INLINE void store_n(float *p, std::size_t n) const {
        float copy[lanes];
        store(copy);
        for (std::size_t i = 0; i < n; ++i)
            p[i] = copy[i];
    }

    friend FS_INLINE F32 operator+(F32 a, F32 b) { return {vaddq_f32(a.v, b.v)}; }
    friend FS_INLINE F32 operator-(F32 a, F32 b) { return {vsubq_f32(a.v, b.v)}; }
    friend FS_INLINE F32 operator*(F32 a, F32 b) { return {vmulq_f32(a.v, b.v)}; }
    static FS_INLINE F32 fma(F32 a, F32 b, F32 c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
    static FS_INLINE F32 fnma(F32 a, F32 b, F32 c) { return {vfmsq_f32(c.v, a.v, b.v)}; }
    static FS_INLINE F32 fms(F32 a, F32 b, F32 c) { return fma(a, b, {vnegq_f32(c.v)}); }

    static FS_INLINE F32 max(F32 a, F32 b) { return {vbslq_f32(vcgtq_f32(a.v, b.v), a.v, b.v)}; }
    static FS_INLINE F32 min(F32 a, F32 b) { return {vbslq_f32(vcltq_f32(a.v, b.v), a.v, b.v)}; }
    static FS_INLINE F32 abs(F32 a) { return {vabsq_f32(a.v)}; }
    static FS_INLINE F32 greater(F32 a, F32 b) {
        return {vbslq_f32(vcgtq_f32(a.v, b.v), vdupq_n_f32(1.0f), vdupq_n_f32(0.0f))};
    }
    static FS_INLINE unsigned greater_mask(F32 a, F32 b) {
        const std::uint32_t bits[lanes] = {1, 2, 4, 8};
        return vaddvq_u32(vandq_u32(vcgtq_f32(a.v, b.v), vld1q_u32(bits)));
    }
    static FS_INLINE F32 zero_where_le(F32 h, F32 a, F32 edge) {
        return {vbslq_f32(vcleq_f32(a.v, edge.v), vdupq_n_f32(0.0f), h.v)};
    }
    static FS_INLINE F32 power_of_two(F32 t) {
        return {vreinterpretq_f32_s32(vshlq_n_s32(vreinterpretq_s32_f32(t.v), 23))};
    }
    static FS_INLINE F32 lowest_where_le(F32 h, F32 a, F32 edge) {
        return {vbslq_f32(vcleq_f32(a.v, edge.v), vdupq_n_f32(-__builtin_inff()), h.v)};
    }
    static FS_INLINE F32 lowest_unless(F32 h, const std::uint8_t *keep) {
        const std::uint32_t flags[lanes] = {keep[0], keep[1], keep[2], keep[3]};
        return {vbslq_f32(vceqzq_u32(vld1q_u32(flags)), vdupq_n_f32(-__builtin_inff()), h.v)};
    }
    static FS_INLINE F32 widen(const float16 *p) {
        return {vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(&p->bits)))};
    }
    static FS_INLINE F32 widen(const bfloat16 *p) {
        return {vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(&p->bits), 16))};
    }
    FS_INLINE void narrow_to(float16 *p) const {
        vst1_u16(&p->bits, vreinterpret_u16_f16(vcvt_f16_f32(v)));
    }
    FS_INLINE void narrow_to(bfloat16 *p) const {
        const uint32x4_t bits = vreinterpretq_u32_f32(v);
        const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
        const uint32x4_t up = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
        // rounding up could make an infinity of a NaN
        const uint32x4_t quiet = vorrq_u32(bits, vdupq_n_u32(0x400000));
        vst1_u16(&p->bits, vshrn_n_u32(vbslq_u32(vceqq_f32(v, v), up, quiet), 16));
    }

    static FS_INLINE float reduce_max(F32 a) { return vmaxvq_f32(a.v); }
    static FS_INLINE double reduce_add(F32 a) {
        return vaddvq_f64(vaddq_f64(vcvt_f64_f32(vget_low_f32(a.v)), vcvt_high_f64_f32(a.v)));
    }
};

struct F64 {
    using scalar = double;
    static constexpr int lanes = 2;
    static constexpr bool fused = true;
    float64x2_t v;

    static FS_INLINE F64 set(double a) { return {vdupq_n_f64(a)}; }
    static FS_INLINE F64 load(const double *p) { return {vld1q_f64(p)}; }
    static FS_INLINE F64 load_n(const double *p, std::size_t n, double fill) {
        const double copy[lanes] = {n > 0 ? p[0] : fill, fill};
        return load(copy);
    }
    FS_INLINE void store(double *p) const { vst1q_f64(p, v); }
    FS_INLINE void store_n(double *p, std::size_t n) const {
        if (n > 0)
            vst1q_lane_f64(p, v, 0);
    }

    friend FS_INLINE F64 operator+(F64 a, F64 b) { return {vaddq_f64(a.v, b.v)}; }
    friend FS_INLINE F64 operator-(F64 a, F64 b) { return {vsubq_f64(a.v, b.v)}; }
    friend FS_INLINE F64 operator*(F64 a, F64 b) { return {vmulq_f64(a.v, b.v)}; }
    static FS_INLINE F64 fma(F64 a, F64 b, F64 c) { return {vfmaq_f64(c.v, a.v, b.v)}; }
    static FS_INLINE F64 fnma(F64 a, F64 b, F64 c) { return {vfmsq_f64(c.v, a.v, b.v)}; }
    static FS_INLINE F64 fms(F64 a, F64 b, F64 c) { return fma(a, b, {vnegq_f64(c.v)}); }

    static FS_INLINE F64 max(F64 a, F64 b) { return {vbslq_f64(vcgtq_f64(a.v, b.v), a.v, b.v)}; }
    static FS_INLINE F64 min(F64 a, F64 b) { return {vbslq_f64(vcltq_f64(a.v, b.v), a.v, b.v)}; }
    static FS_INLINE F64 abs(F64 a) { return {vabsq_f64(a.v)}; }
    static FS_INLINE F64 greater(F64 a, F64 b) {
        return {vbslq_f64(vcgtq_f64(a.v, b.v), vdupq_n_f64(1.0), vdupq_n_f64(0.0))};
    }
    static FS_INLINE unsigned greater_mask(F64 a, F64 b) {
        const std::uint64_t bits[lanes] = {1, 2};
        return static_cast<unsigned>(vaddvq_u64(vandq_u64(vcgtq_f64(a.v, b.v), vld1q_u64(bits))));
    }
    static FS_INLINE F64 zero_where_le(F64 h, F64 a, F64 edge) {
        return {vbslq_f64(vcleq_f64(a.v, edge.v), vdupq_n_f64(0.0), h.v)};
    }
    static FS_INLINE F64 power_of_two(F64 t) {
        return {vreinterpretq_f64_s64(vshlq_n_s64(vreinterpretq_s64_f64(t.v), 52))};
    }
    static FS_INLINE F64 lowest_where_le(F64 h, F64 a, F64 edge) {
        return {vbslq_f64(vcleq_f64(a.v, edge.v), vdupq_n_f64(-__builtin_inf()), h.v)};
    }
    static FS_INLINE F64 lowest_unless(F64 h, const std::uint8_t *keep) {
        const std::uint64_t flags[lanes] = {keep[0], keep[1]};
        return {vbslq_f64(vceqzq_u64(vld1q_u64(flags)), vdupq_n_f64(-__builtin_inf()), h.v)};
    }

    static FS_INLINE double reduce_max(F64 a) { return vmaxvq_f64(a.v); }
    static FS_INLINE double reduce_add(F64 a) { return vaddvq_f64(a.v); }
};

} // namespace
} // namespace fastsoftmax::FS_ISA
