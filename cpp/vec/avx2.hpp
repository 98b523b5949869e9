// AVX2 with FMA3: 8 floats or 4 doubles. Tails go through masked loads and stores.
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
    static constexpr int lanes = 8;
    static constexpr bool fused = true;
    __m256 v;

    static FS_INLINE F32 set(double a) { return {_mm256_set1_ps(static_cast<float>(a))}; }
    static FS_INLINE F32 load(const float *p) { return {_mm256_loadu_ps(p)}; }
    static FS_INLINE F32 load_n(const float *p, std::size_t n, float fill) {
        const __m256i mask = first(n);
        return {_mm256_blendv_ps(_mm256_set1_ps(fill), _mm256_maskload_ps(p, mask),
                                 _mm256_castsi256_ps(mask))};
    }
    FS_INLINE void store(float *p) const { _mm256_storeu_ps(p, v); }
    FS_INLINE void store_n(float *p, std::size_t n) const { _mm256_maskstore_ps(p, first(n), v); }

    FS_INLINE void stream(float *p) const { _mm256_stream_ps(p, v); }
    static FS_INLINE void stream_fence() { _mm_sfence(); }

    friend FS_INLINE F32 operator+(F32 a, F32 b) { return {_mm256_add_ps(a.v, b.v)}; }
    friend FS_INLINE F32 operator-(F32 a, F32 b) { return {_mm256_sub_ps(a.v, b.v)}; }
    friend FS_INLINE F32 operator*(F32 a, F32 b) { return {_mm256_mul_ps(a.v, b.v)}; }
    static FS_INLINE F32 fma(F32 a, F32 b, F32 c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
    static FS_INLINE F32 fnma(F32 a, F32 b, F32 c) { return {_mm256_fnmadd_ps(a.v, b.v, c.v)}; }
    static FS_INLINE F32 fms(F32 a, F32 b, F32 c) { return {_mm256_fmsub_ps(a.v, b.v, c.v)}; }

    static FS_INLINE F32 max(F32 a, F32 b) { return {_mm256_max_ps(a.v, b.v)}; }
    static FS_INLINE F32 min(F32 a, F32 b) { return {_mm256_min_ps(a.v, b.v)}; }
    static FS_INLINE F32 abs(F32 a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)}; }
    static FS_INLINE F32 greater(F32 a, F32 b) {
        return {_mm256_and_ps(_mm256_cmp_ps(a.v, b.v, _CMP_GT_OQ), _mm256_set1_ps(1.0f))};
    }
    static FS_INLINE unsigned greater_mask(F32 a, F32 b) {
        return static_cast<unsigned>(_mm256_movemask_ps(_mm256_cmp_ps(a.v, b.v, _CMP_GT_OQ)));
    }
    static FS_INLINE F32 zero_where_le(F32 h, F32 a, F32 edge) {
        return {_mm256_andnot_ps(_mm256_cmp_ps(a.v, edge.v, _CMP_LE_OQ), h.v)};
    }
    static FS_INLINE F32 power_of_two(F32 t) {
        return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(t.v), 23))};
    }
    static FS_INLINE float reduce_max(F32 a) {
        __m128 r = _mm_max_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
        r = _mm_max_ps(r, _mm_movehl_ps(r, r));
        return _mm_cvtss_f32(_mm_max_ss(r, _mm_movehdup_ps(r)));
    }
    static FS_INLINE double reduce_add(F32 a) {
        const __m256d low = _mm256_cvtps_pd(_mm256_castps256_ps128(a.v));
        const __m256d sum = _mm256_add_pd(low, _mm256_cvtps_pd(_mm256_extractf128_ps(a.v, 1)));
        const __m128d r = _mm_add_pd(_mm256_castpd256_pd128(sum), _mm256_extractf128_pd(sum, 1));
        return _mm_cvtsd_f64(_mm_add_sd(r, _mm_unpackhi_pd(r, r)));
    }

    /// Folds 8 vectors into one: lane i is f over the lanes of v[i]. Each level halves their
    /// number: a blend keeps one half of each of two vectors in place, a shuffle brings the other
    /// two there.
    template <class F> static FS_INLINE F32 fold(F32 *v, const F &f) {
        for (int i = 0; i < 4; ++i)
            v[i] = f({_mm256_blend_ps(v[i].v, v[i + 4].v, 0xf0)},
                     {_mm256_permute2f128_ps(v[i].v, v[i + 4].v, 0x21)});
        for (int i = 0; i < 2; ++i)
            v[i] = f({_mm256_blend_ps(v[i].v, v[i + 2].v, 0xcc)},
                     {_mm256_shuffle_ps(v[i].v, v[i + 2].v, 0x4e)});
        return f({_mm256_blend_ps(v[0].v, v[1].v, 0xaa)},
                 {_mm256_permute_ps(_mm256_blend_ps(v[0].v, v[1].v, 0x55), 0xb1)});
    }
    static FS_INLINE F32 reciprocal(F32 a) { return {_mm256_div_ps(_mm256_set1_ps(1.0f), a.v)}; }

    /// 2^(k/8), k the low mantissa bits of t: three bits choose a power, the rest is its exponent.
    /// Entry j is 2^(j/8) less j << 20, which the shifted k brings back.
    static constexpr int powers = 8;
    static FS_INLINE F32 fractional_power(F32 t) {
        const __m256i k = _mm256_castps_si256(t.v);
        const __m256i table = _mm256_setr_epi32(0x3f800000, 0x3f7b95c2, 0x3f7837f0, 0x3f75fed7,
                                                0x3f7504f3, 0x3f75672a, 0x3f7744fd, 0x3f7ac0c7);
        return {_mm256_castsi256_ps(
            _mm256_add_epi32(_mm256_permutevar8x32_epi32(table, k), _mm256_slli_epi32(k, 20)))};
    }
    /// a * b + c where x > edge or x is NaN, else 0.
    static FS_INLINE F32 fma_where_gt(F32 a, F32 b, F32 c, F32 x, F32 edge) {
        return zero_where_le(fma(a, b, c), x, edge);
    }

    static FS_INLINE F32 lowest_where_le(F32 h, F32 a, F32 edge) {
        return {_mm256_blendv_ps(h.v, _mm256_set1_ps(-__builtin_inff()),
                                 _mm256_cmp_ps(a.v, edge.v, _CMP_LE_OQ))};
    }
    static FS_INLINE F32 lowest_unless(F32 h, const std::uint8_t *keep) {
        const __m256i bytes =
            _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i *>(keep)));
        return {_mm256_blendv_ps(
            h.v, _mm256_set1_ps(-__builtin_inff()),
            _mm256_castsi256_ps(_mm256_cmpeq_epi32(bytes, _mm256_setzero_si256())))};
    }
    static FS_INLINE F32 widen(const float16 *p) {
        return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i *>(p)))};
    }
    static FS_INLINE F32 widen(const bfloat16 *p) {
        const __m256i bits =
            _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i *>(p)));
        return {_mm256_castsi256_ps(_mm256_slli_epi32(bits, 16))};
    }
    FS_INLINE void narrow_to(float16 *p) const {
        _mm_storeu_si128(reinterpret_cast<__m128i *>(p),
                         _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
    }
    FS_INLINE void narrow_to(bfloat16 *p) const {
        const __m256i bits = _mm256_castps_si256(v), one = _mm256_set1_epi32(1);
        const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), one);
        const __m256i up = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
        // rounding up could make an infinity of a NaN
        const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
        const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
        const __m256i high = _mm256_srli_epi32(_mm256_blendv_epi8(up, quiet, nan), 16);
        const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(high, high), 0x08);
        _mm_storeu_si128(reinterpret_cast<__m128i *>(p), _mm256_castsi256_si128(packed));
    }

  private:
    static FS_INLINE __m256i first(std::size_t n) {
        return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)),
                                  _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    }
};

struct F64 {
    using scalar = double;
    static constexpr int lanes = 4;
    static constexpr bool fused = true;
    __m256d v;

    static FS_INLINE F64 set(double a) { return {_mm256_set1_pd(a)}; }
    static FS_INLINE F64 load(const double *p) { return {_mm256_loadu_pd(p)}; }
    static FS_INLINE F64 load_n(const double *p, std::size_t n, double fill) {
        const __m256i mask = first(n);
        return {_mm256_blendv_pd(_mm256_set1_pd(fill), _mm256_maskload_pd(p, mask),
                                 _mm256_castsi256_pd(mask))};
    }
    FS_INLINE void store(double *p) const { _mm256_storeu_pd(p, v); }
    FS_INLINE void store_n(double *p, std::size_t n) const { _mm256_maskstore_pd(p, first(n), v); }

    friend FS_INLINE F64 operator+(F64 a, F64 b) { return {_mm256_add_pd(a.v, b.v)}; }
    friend FS_INLINE F64 operator-(F64 a, F64 b) { return {_mm256_sub_pd(a.v, b.v)}; }
    friend FS_INLINE F64 operator*(F64 a, F64 b) { return {_mm256_mul_pd(a.v, b.v)}; }
    static FS_INLINE F64 fma(F64 a, F64 b, F64 c) { return {_mm256_fmadd_pd(a.v, b.v, c.v)}; }
    static FS_INLINE F64 fnma(F64 a, F64 b, F64 c) { return {_mm256_fnmadd_pd(a.v, b.v, c.v)}; }
    static FS_INLINE F64 fms(F64 a, F64 b, F64 c) { return {_mm256_fmsub_pd(a.v, b.v, c.v)}; }

    static FS_INLINE F64 max(F64 a, F64 b) { return {_mm256_max_pd(a.v, b.v)}; }
    static FS_INLINE F64 min(F64 a, F64 b) { return {_mm256_min_pd(a.v, b.v)}; }
    static FS_INLINE F64 abs(F64 a) { return {_mm256_andnot_pd(_mm256_set1_pd(-0.0), a.v)}; }
    static FS_INLINE F64 greater(F64 a, F64 b) {
        return {_mm256_and_pd(_mm256_cmp_pd(a.v, b.v, _CMP_GT_OQ), _mm256_set1_pd(1.0))};
    }
    static FS_INLINE unsigned greater_mask(F64 a, F64 b) {
        return static_cast<unsigned>(_mm256_movemask_pd(_mm256_cmp_pd(a.v, b.v, _CMP_GT_OQ)));
    }
    static FS_INLINE F64 zero_where_le(F64 h, F64 a, F64 edge) {
        return {_mm256_andnot_pd(_mm256_cmp_pd(a.v, edge.v, _CMP_LE_OQ), h.v)};
    }
    static FS_INLINE F64 power_of_two(F64 t) {
        return {_mm256_castsi256_pd(_mm256_slli_epi64(_mm256_castpd_si256(t.v), 52))};
    }
    static FS_INLINE double reduce_max(F64 a) {
        const __m128d r = _mm_max_pd(_mm256_castpd256_pd128(a.v), _mm256_extractf128_pd(a.v, 1));
        return _mm_cvtsd_f64(_mm_max_sd(r, _mm_unpackhi_pd(r, r)));
    }
    static FS_INLINE double reduce_add(F64 a) {
        const __m128d r = _mm_add_pd(_mm256_castpd256_pd128(a.v), _mm256_extractf128_pd(a.v, 1));
        return _mm_cvtsd_f64(_mm_add_sd(r, _mm_unpackhi_pd(r, r)));
    }

    static FS_INLINE F64 lowest_where_le(F64 h, F64 a, F64 edge) {
        return {_mm256_blendv_pd(h.v, _mm256_set1_pd(-__builtin_inf()),
                                 _mm256_cmp_pd(a.v, edge.v, _CMP_LE_OQ))};
    }
    static FS_INLINE F64 lowest_unless(F64 h, const std::uint8_t *keep) {
        int four;
        __builtin_memcpy(&four, keep, 4);
        const __m256i bytes = _mm256_cvtepu8_epi64(_mm_cvtsi32_si128(four));
        return {_mm256_blendv_pd(
            h.v, _mm256_set1_pd(-__builtin_inf()),
            _mm256_castsi256_pd(_mm256_cmpeq_epi64(bytes, _mm256_setzero_si256())))};
    }

  private:
    static FS_INLINE __m256i first(std::size_t n) {
        return _mm256_cmpgt_epi64(_mm256_set1_epi64x(static_cast<long long>(n)),
                                  _mm256_setr_epi64x(0, 1, 2, 3));
    }
};

} // namespace
} // namespace fastsoftmax::FS_ISA
