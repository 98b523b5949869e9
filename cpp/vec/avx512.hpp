// AVX-512 F, DQ, BW, VL: 16 floats or 8 doubles. Tails are mask registers.
#pragma once
#include "fastsoftmax/half.hpp"
#include "vec/concept.hpp"
#include "vec/flush_denormals.hpp"
#include <cstdint>
#include <immintrin.h>

namespace fastsoftmax::FS_ISA {
namespace {

struct F32 {
    using scalar = float;
    static constexpr int lanes = 16;
    static constexpr bool fused = true;
    __m512 v;

    static FS_INLINE F32 set(double a) { return {_mm512_set1_ps(static_cast<float>(a))}; }
    static FS_INLINE F32 load(const float *p) { return {_mm512_loadu_ps(p)}; }
    static FS_INLINE F32 load_n(const float *p, std::size_t n, float fill) {
        return {_mm512_mask_loadu_ps(_mm512_set1_ps(fill), first(n), p)};
    }
    FS_INLINE void store(float *p) const { _mm512_storeu_ps(p, v); }
    FS_INLINE void store_n(float *p, std::size_t n) const { _mm512_mask_storeu_ps(p, first(n), v); }

    FS_INLINE void stream(float *p) const { _mm512_stream_ps(p, v); }
    static FS_INLINE void stream_fence() { _mm_sfence(); }

    friend FS_INLINE F32 operator+(F32 a, F32 b) { return {_mm512_add_ps(a.v, b.v)}; }
    friend FS_INLINE F32 operator-(F32 a, F32 b) { return {_mm512_sub_ps(a.v, b.v)}; }
    friend FS_INLINE F32 operator*(F32 a, F32 b) { return {_mm512_mul_ps(a.v, b.v)}; }
    static FS_INLINE F32 fma(F32 a, F32 b, F32 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
    static FS_INLINE F32 fnma(F32 a, F32 b, F32 c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }
    static FS_INLINE F32 fms(F32 a, F32 b, F32 c) { return {_mm512_fmsub_ps(a.v, b.v, c.v)}; }

    static FS_INLINE F32 max(F32 a, F32 b) { return {_mm512_max_ps(a.v, b.v)}; }
    static FS_INLINE F32 min(F32 a, F32 b) { return {_mm512_min_ps(a.v, b.v)}; }
    static FS_INLINE F32 abs(F32 a) { return {_mm512_abs_ps(a.v)}; }
    static FS_INLINE F32 greater(F32 a, F32 b) {
        return {
            _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ), _mm512_set1_ps(1.0f))};
    }
    static FS_INLINE unsigned greater_mask(F32 a, F32 b) {
        return _mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ);
    }
    static FS_INLINE F32 zero_where_le(F32 h, F32 a, F32 edge) {
        return {_mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a.v, edge.v, _CMP_NLE_UQ), h.v)};
    }
    static FS_INLINE F32 power_of_two(F32 t) {
        return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(t.v), 23))};
    }
    static FS_INLINE float reduce_max(F32 a) { return _mm512_reduce_max_ps(a.v); }
    static FS_INLINE double reduce_add(F32 a) {
        const __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(a.v));
        const __m512d high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(a.v, 1));
        return _mm512_reduce_add_pd(_mm512_add_pd(low, high));
    }

    /// Folds 16 vectors into one: lane i is f over the lanes of v[i]. Each level halves their
    /// number: a blend keeps one half of each of two vectors in place, a shuffle brings the other
    /// two there.
    template <class F> static FS_INLINE F32 fold(F32 *v, const F &f) {
        for (int i = 0; i < 8; ++i)
            v[i] = f({_mm512_mask_blend_ps(0xff00, v[i].v, v[i + 8].v)},
                     {_mm512_shuffle_f32x4(v[i].v, v[i + 8].v, 0x4e)});
        return fold_halves(v, f);
    }
    /// The same of eight vectors: their lower halves, then their upper ones.
    template <class F> static FS_INLINE F32 fold_halves(F32 *v, const F &f) {
        const __m512i quarters =
            _mm512_setr_epi32(4, 5, 6, 7, 16, 17, 18, 19, 12, 13, 14, 15, 24, 25, 26, 27);
        for (int i = 0; i < 4; ++i)
            v[i] = f({_mm512_mask_blend_ps(0xf0f0, v[i].v, v[i + 4].v)},
                     {_mm512_permutex2var_ps(v[i].v, quarters, v[i + 4].v)});
        for (int i = 0; i < 2; ++i)
            v[i] = f({_mm512_mask_blend_ps(0xcccc, v[i].v, v[i + 2].v)},
                     {_mm512_shuffle_ps(v[i].v, v[i + 2].v, 0x4e)});
        const __m512i neighbours =
            _mm512_setr_epi32(1, 16, 3, 18, 5, 20, 7, 22, 9, 24, 11, 26, 13, 28, 15, 30);
        return f({_mm512_mask_blend_ps(0xaaaa, v[0].v, v[1].v)},
                 {_mm512_permutex2var_ps(v[0].v, neighbours, v[1].v)});
    }
    /// The same, lanes 0 to 7 of it over whole vectors.
    template <class F> static FS_INLINE F32 fold_eight(F32 *v, const F &f) {
        const F32 halves = fold_halves(v, f);
        return f(halves, {_mm512_shuffle_f32x4(halves.v, halves.v, 0x4e)});
    }
    static FS_INLINE F32 reciprocal(F32 a) { return {_mm512_div_ps(_mm512_set1_ps(1.0f), a.v)}; }

    /// 2^(k/16), k the low mantissa bits of t: four bits choose a power, the rest is its exponent.
    /// Entry j is 2^(j/16) less j << 19, which the shifted k brings back.
    static constexpr int powers = 16;
    static FS_INLINE F32 fractional_power(F32 t) {
        const __m512i k = _mm512_castps_si512(t.v);
        const __m512i table = _mm512_setr_epi32(0x3f800000, 0x3f7daac3, 0x3f7b95c2, 0x3f79c3d3,
                                                0x3f7837f0, 0x3f76f532, 0x3f75fed7, 0x3f75583f,
                                                0x3f7504f3, 0x3f7508a4, 0x3f75672a, 0x3f76248c,
                                                0x3f7744fd, 0x3f78ccdf, 0x3f7ac0c7, 0x3f7d257d);
        return {_mm512_castsi512_ps(
            _mm512_add_epi32(_mm512_permutexvar_epi32(k, table), _mm512_slli_epi32(k, 19)))};
    }
    /// a * b + c where x > edge or x is NaN, else 0.
    static FS_INLINE F32 fma_where_gt(F32 a, F32 b, F32 c, F32 x, F32 edge) {
        return {_mm512_maskz_fmadd_ps(_mm512_cmp_ps_mask(x.v, edge.v, _CMP_NLE_UQ), a.v, b.v, c.v)};
    }

    static FS_INLINE F32 lowest_where_le(F32 h, F32 a, F32 edge) {
        return {_mm512_mask_mov_ps(_mm512_set1_ps(-__builtin_inff()),
                                   _mm512_cmp_ps_mask(a.v, edge.v, _CMP_NLE_UQ), h.v)};
    }
    static FS_INLINE F32 lowest_unless(F32 h, const std::uint8_t *keep) {
        const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i *>(keep));
        return {_mm512_mask_mov_ps(_mm512_set1_ps(-__builtin_inff()),
                                   _mm_test_epi8_mask(bytes, bytes), h.v)};
    }
    static FS_INLINE F32 widen(const float16 *p) {
        return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(p)))};
    }
    static FS_INLINE F32 widen(const bfloat16 *p) {
        const __m512i bits =
            _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(p)));
        return {_mm512_castsi512_ps(_mm512_slli_epi32(bits, 16))};
    }
    FS_INLINE void narrow_to(float16 *p) const {
        _mm256_storeu_si256(reinterpret_cast<__m256i *>(p),
                            _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
    }
    FS_INLINE void narrow_to(bfloat16 *p) const {
        const __m512i bits = _mm512_castps_si512(v), one = _mm512_set1_epi32(1);
        const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), one);
        const __m512i up = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
        // rounding up could make an infinity of a NaN
        const __m512i rounded = _mm512_mask_or_epi32(up, _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q),
                                                     bits, _mm512_set1_epi32(0x400000));
        _mm256_storeu_si256(reinterpret_cast<__m256i *>(p),
                            _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16)));
    }

  private:
    static FS_INLINE __mmask16 first(std::size_t n) {
        return static_cast<__mmask16>((1u << n) - 1u);
    }
};

struct F64 {
    using scalar = double;
    static constexpr int lanes = 8;
    static constexpr bool fused = true;
    __m512d v;

    static FS_INLINE F64 set(double a) { return {_mm512_set1_pd(a)}; }
    static FS_INLINE F64 load(const double *p) { return {_mm512_loadu_pd(p)}; }
    static FS_INLINE F64 load_n(const double *p, std::size_t n, double fill) {
        return {_mm512_mask_loadu_pd(_mm512_set1_pd(fill), first(n), p)};
    }
    FS_INLINE void store(double *p) const { _mm512_storeu_pd(p, v); }
    FS_INLINE void store_n(double *p, std::size_t n) const {
        _mm512_mask_storeu_pd(p, first(n), v);
    }

    friend FS_INLINE F64 operator+(F64 a, F64 b) { return {_mm512_add_pd(a.v, b.v)}; }
    friend FS_INLINE F64 operator-(F64 a, F64 b) { return {_mm512_sub_pd(a.v, b.v)}; }
    friend FS_INLINE F64 operator*(F64 a, F64 b) { return {_mm512_mul_pd(a.v, b.v)}; }
    static FS_INLINE F64 fma(F64 a, F64 b, F64 c) { return {_mm512_fmadd_pd(a.v, b.v, c.v)}; }
    static FS_INLINE F64 fnma(F64 a, F64 b, F64 c) { return {_mm512_fnmadd_pd(a.v, b.v, c.v)}; }
    static FS_INLINE F64 fms(F64 a, F64 b, F64 c) { return {_mm512_fmsub_pd(a.v, b.v, c.v)}; }

    static FS_INLINE F64 max(F64 a, F64 b) { return {_mm512_max_pd(a.v, b.v)}; }
    static FS_INLINE F64 min(F64 a, F64 b) { return {_mm512_min_pd(a.v, b.v)}; }
    static FS_INLINE F64 abs(F64 a) { return {_mm512_abs_pd(a.v)}; }
    static FS_INLINE F64 greater(F64 a, F64 b) {
        return {_mm512_maskz_mov_pd(_mm512_cmp_pd_mask(a.v, b.v, _CMP_GT_OQ), _mm512_set1_pd(1.0))};
    }
    static FS_INLINE unsigned greater_mask(F64 a, F64 b) {
        return _mm512_cmp_pd_mask(a.v, b.v, _CMP_GT_OQ);
    }
    static FS_INLINE F64 zero_where_le(F64 h, F64 a, F64 edge) {
        return {_mm512_maskz_mov_pd(_mm512_cmp_pd_mask(a.v, edge.v, _CMP_NLE_UQ), h.v)};
    }
    static FS_INLINE F64 power_of_two(F64 t) {
        return {_mm512_castsi512_pd(_mm512_slli_epi64(_mm512_castpd_si512(t.v), 52))};
    }
    static FS_INLINE double reduce_max(F64 a) { return _mm512_reduce_max_pd(a.v); }
    static FS_INLINE double reduce_add(F64 a) { return _mm512_reduce_add_pd(a.v); }

    static FS_INLINE F64 lowest_where_le(F64 h, F64 a, F64 edge) {
        return {_mm512_mask_mov_pd(_mm512_set1_pd(-__builtin_inf()),
                                   _mm512_cmp_pd_mask(a.v, edge.v, _CMP_NLE_UQ), h.v)};
    }
    static FS_INLINE F64 lowest_unless(F64 h, const std::uint8_t *keep) {
        const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i *>(keep));
        return {_mm512_mask_mov_pd(_mm512_set1_pd(-__builtin_inf()),
                                   static_cast<__mmask8>(_mm_test_epi8_mask(bytes, bytes)), h.v)};
    }

  private:
    static FS_INLINE __mmask8 first(std::size_t n) { return static_cast<__mmask8>((1u << n) - 1u); }
};

} // namespace
} // namespace fastsoftmax::FS_ISA
