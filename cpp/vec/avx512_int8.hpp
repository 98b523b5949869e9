// AVX-512 BW: 64 bytes. Words lie in two registers as unpacking leaves them, by quarters of 128
// bits, which packing undoes for free; bytes that went through ordered() unpack into words in order
// instead. Also the base of avx512_vnni: where the unit is compiled for VNNI, sums are dot
// products.
#pragma once
#include "vec/int8_concept.hpp"
#include <immintrin.h>

namespace fastsoftmax::FS_ISA {
namespace {

struct I8Words {
    __m512i low, high;

    static FS_INLINE I8Words set(int a) {
        const __m512i all = _mm512_set1_epi16(static_cast<short>(a));
        return {all, all};
    }
    template <bool Ordered>
    static FS_INLINE I8Words spread_two(std::int32_t first, std::int32_t second) {
        const __m512i a = _mm512_set1_epi32(first);
        if constexpr (Ordered)
            return {a, _mm512_set1_epi32(second)};
        const __m512i both = _mm512_mask_set1_epi32(a, 0xff00, second);
        return {both, both};
    }
    static FS_INLINE I8Words spread(std::int32_t two) {
        const __m512i all = _mm512_set1_epi32(two);
        return {all, all};
    }
    friend FS_INLINE I8Words operator+(I8Words a, I8Words b) {
        return {_mm512_add_epi16(a.low, b.low), _mm512_add_epi16(a.high, b.high)};
    }
    friend FS_INLINE I8Words operator-(I8Words a, I8Words b) {
        return {_mm512_sub_epi16(a.low, b.low), _mm512_sub_epi16(a.high, b.high)};
    }
    friend FS_INLINE I8Words operator&(I8Words a, I8Words b) {
        return {_mm512_and_si512(a.low, b.low), _mm512_and_si512(a.high, b.high)};
    }
    friend FS_INLINE I8Words operator<<(I8Words a, int k) {
        return {_mm512_slli_epi16(a.low, k), _mm512_slli_epi16(a.high, k)};
    }
    friend FS_INLINE I8Words operator>>(I8Words a, int k) {
        return {_mm512_srli_epi16(a.low, k), _mm512_srli_epi16(a.high, k)};
    }
    static FS_INLINE I8Words count(std::int32_t two) { return spread(two); }
    friend FS_INLINE I8Words operator>>(I8Words a, I8Words k) {
        return {_mm512_srlv_epi16(a.low, k.low), _mm512_srlv_epi16(a.high, k.high)};
    }
    static FS_INLINE I8Words mul_low(I8Words a, I8Words b) {
        return {_mm512_mullo_epi16(a.low, b.low), _mm512_mullo_epi16(a.high, b.high)};
    }
    static FS_INLINE I8Words mul_high(I8Words a, I8Words b) {
        return {_mm512_mulhi_epu16(a.low, b.low), _mm512_mulhi_epu16(a.high, b.high)};
    }
    static FS_INLINE I8Words mul_rounded(I8Words a, I8Words b) {
        return {_mm512_mulhrs_epi16(a.low, b.low), _mm512_mulhrs_epi16(a.high, b.high)};
    }
    static FS_INLINE I8Words min(I8Words a, I8Words b) {
        return {_mm512_min_epu16(a.low, b.low), _mm512_min_epu16(a.high, b.high)};
    }
    static FS_INLINE I8Words mul_high32(I8Words a, I8Words high, I8Words low) {
        return {mul_high32(a.low, high.low, low.low), mul_high32(a.high, high.high, low.high)};
    }
    static FS_INLINE I8Words half(I8Words a) {
        const __m512i zero = _mm512_setzero_si512();
        return {_mm512_avg_epu16(a.low, zero), _mm512_avg_epu16(a.high, zero)};
    }
    static FS_INLINE I8Words load(const std::int16_t *p) {
        return {_mm512_loadu_si512(p), _mm512_loadu_si512(p + 32)};
    }
    FS_INLINE void store(std::int16_t *to) const {
        _mm512_storeu_si512(to, low);
        _mm512_storeu_si512(to + 32, high);
    }
    FS_INLINE void store_n(std::int16_t *to, std::size_t n) const {
        const std::uint64_t k = n < 64 ? (std::uint64_t{1} << n) - 1 : ~std::uint64_t{0};
        _mm512_mask_storeu_epi16(to, static_cast<__mmask32>(k), low);
        _mm512_mask_storeu_epi16(to + 32, static_cast<__mmask32>(k >> 32), high);
    }

    FS_INLINE void store_first(std::int16_t *to, __mmask32 half) const {
        _mm512_mask_storeu_epi16(to, half, low);
    }
    FS_INLINE void store_second(std::int16_t *to, __mmask32 half) const {
        _mm512_mask_storeu_epi16(to, half, high);
    }

  private:
    static FS_INLINE __m512i mul_high32(__m512i a, __m512i high, __m512i low) {
        // half of the sum of the lower parts and 1: its highest bit is what they carry
        const __m512i half =
            _mm512_avg_epu16(_mm512_mullo_epi16(a, high), _mm512_mulhi_epu16(a, low));
        return _mm512_add_epi16(_mm512_mulhi_epu16(a, high), _mm512_srli_epi16(half, 15));
    }
};

struct I8 {
    using scalar = std::int8_t;
    using Words = I8Words;
    using Sums = __m512i;
    static constexpr int lanes = 64, folds = F32::lanes;
    __m512i v;

    static FS_INLINE I8 set(int a) { return {_mm512_set1_epi8(static_cast<char>(a))}; }
    static FS_INLINE I8 spread(std::int32_t four) { return {_mm512_set1_epi32(four)}; }
    static FS_INLINE I8 load(const std::int8_t *p) { return {_mm512_loadu_si512(p)}; }
    static FS_INLINE I8 load_n(const std::int8_t *p, std::size_t n) {
        return {_mm512_mask_loadu_epi8(set(-128).v, bits(n), p)};
    }
    static FS_INLINE I8 unmasked(const std::uint8_t *p) { return not_zero(_mm512_loadu_si512(p)); }
    static FS_INLINE I8 unmasked_n(const std::uint8_t *p, std::size_t n) {
        return not_zero(_mm512_maskz_loadu_epi8(bits(n), p));
    }
    static FS_INLINE I8 first(std::size_t n) { return {_mm512_movm_epi8(bits(n))}; }
    static FS_INLINE I8 last(std::size_t n) { return {_mm512_movm_epi8(~bits(lanes - n))}; }
    FS_INLINE void store(std::uint8_t *to) const { _mm512_storeu_si512(to, v); }
    FS_INLINE void store_n(std::uint8_t *to, std::size_t n) const {
        _mm512_mask_storeu_epi8(to, bits(n), v);
    }
    using Half = __mmask32;
    static FS_INLINE Half half_of(std::size_t n) { return static_cast<Half>(bits(n)); }
    static FS_INLINE I8 load_two(const std::int8_t *p, const std::int8_t *q, Half k) {
        const __m256i none = _mm512_castsi512_si256(set(-128).v);
        return two(_mm256_mask_loadu_epi8(none, k, p), _mm256_mask_loadu_epi8(none, k, q));
    }
    static FS_INLINE I8 first_of_two(Half k) {
        return two(_mm256_movm_epi8(k), _mm256_movm_epi8(k));
    }
    static FS_INLINE I8 spread_two(std::int32_t first, std::int32_t second) {
        return {Words::spread_two<false>(first, second).low};
    }
    FS_INLINE void store_first(std::uint8_t *to, Half k) const {
        _mm256_mask_storeu_epi8(to, k, _mm512_castsi512_si256(v));
    }
    FS_INLINE void store_second(std::uint8_t *to, Half k) const {
        _mm256_mask_storeu_epi8(to, k, _mm512_extracti64x4_epi64(v, 1));
    }
    friend FS_INLINE I8 operator-(I8 a, I8 b) { return {_mm512_sub_epi8(a.v, b.v)}; }
    friend FS_INLINE I8 operator&(I8 a, I8 b) { return {_mm512_and_si512(a.v, b.v)}; }
    static FS_INLINE I8 where(I8 k, I8 a, I8 b) {
        return {_mm512_mask_blend_epi8(_mm512_movepi8_mask(k.v), b.v, a.v)};
    }
    static FS_INLINE I8 max(I8 a, I8 b) { return {_mm512_max_epi8(a.v, b.v)}; }
    static FS_INLINE I8 min(I8 a, I8 b) { return {_mm512_min_epu8(a.v, b.v)}; }
    static FS_INLINE I8 low_nibble(I8 a) { return a & set(15); }
    static FS_INLINE I8 high_nibble(I8 a) { return I8{_mm512_srli_epi16(a.v, 4)} & set(15); }
    static FS_INLINE I8 table16(const std::uint8_t *entries) {
        return {
            _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i *>(entries)))};
    }
    static FS_INLINE I8 lookup16(I8 table, I8 i) { return {_mm512_shuffle_epi8(table.v, i.v)}; }
#ifdef __AVX512VBMI__
    friend FS_INLINE I8 operator+(I8 a, I8 b) { return {_mm512_add_epi8(a.v, b.v)}; }
    template <int Entries> static FS_INLINE I8 lookup(const I8 *table, I8 i) {
        if constexpr (Entries == 64)
            return {_mm512_permutexvar_epi8(i.v, table[0].v)};
        const I8 low{_mm512_permutex2var_epi8(table[0].v, i.v, table[1].v)};
        if constexpr (Entries == 128)
            return low;
        else
            return where(i, {_mm512_permutex2var_epi8(table[2].v, i.v, table[3].v)}, low);
    }
    static FS_INLINE I8 counting(int k) {
        alignas(64) std::uint8_t places[lanes];
        for (int i = 0; i < lanes; ++i)
            places[i] = static_cast<std::uint8_t>(k + i);
        return {_mm512_load_si512(places)};
    }
#endif
    static FS_INLINE I8 ordered(I8 a) {
        return {_mm512_permutexvar_epi64(_mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7), a.v)};
    }
    static FS_INLINE Words zip(I8 low, I8 high) {
        return {_mm512_unpacklo_epi8(low.v, high.v), _mm512_unpackhi_epi8(low.v, high.v)};
    }
    static FS_INLINE I8 narrow(Words w) { return {_mm512_packus_epi16(w.low, w.high)}; }
    static FS_INLINE Sums no_sums() { return _mm512_setzero_si512(); }
    static FS_INLINE Sums add(Sums a, Sums b) { return _mm512_add_epi32(a, b); }
#ifdef __AVX512VNNI__
    static FS_INLINE Sums add_bytes(Sums s, I8 a) {
        return _mm512_dpbusd_epi32(s, a.v, _mm512_set1_epi8(1));
    }
    /// 128 times each byte; the other factor is signed.
    static FS_INLINE Sums add_bytes_128(Sums s, I8 a) {
        const __m512i half = _mm512_set1_epi8(64);
        return _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(s, a.v, half), a.v, half);
    }
    static FS_INLINE Sums add_words(Sums s, Words a) {
        const __m512i one = _mm512_set1_epi16(1);
        return _mm512_dpwssd_epi32(_mm512_dpwssd_epi32(s, a.low, one), a.high, one);
    }
#else
    static FS_INLINE Sums add_bytes(Sums s, I8 a) {
        return add(s, _mm512_sad_epu8(a.v, _mm512_setzero_si512()));
    }
    static FS_INLINE Sums add_words(Sums s, Words a) {
        const __m512i one = _mm512_set1_epi16(1);
        return add(s, add(_mm512_madd_epi16(a.low, one), _mm512_madd_epi16(a.high, one)));
    }
#endif
    static FS_INLINE void maxima(I8 *v, std::int32_t *m) {
        store_maxima(fold(v, folds, [](I8 a, I8 b) { return max(a, b); }), m);
    }
    static FS_INLINE void maxima_of_two(I8 *v, std::int32_t *m) {
        store_maxima(fold(v, folds / 2, [](I8 a, I8 b) { return max(a, b); }), m);
    }
    static FS_INLINE void totals(Sums *s, std::int32_t *t) {
        _mm512_storeu_si512(t, fold(s, folds, [](I8 a, I8 b) { return I8{add(a.v, b.v)}; }).v);
    }
    static FS_INLINE void totals_of_two(Sums *s, std::int32_t *t) {
        _mm512_storeu_si512(t, fold(s, folds / 2, [](I8 a, I8 b) { return I8{add(a.v, b.v)}; }).v);
    }

  private:
    static FS_INLINE __mmask64 bits(std::size_t n) {
        return n < lanes ? (std::uint64_t{1} << n) - 1 : ~std::uint64_t{0};
    }
    static FS_INLINE I8 two(__m256i a, __m256i b) {
        return {_mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1)};
    }
    static FS_INLINE I8 not_zero(__m512i a) {
        return {_mm512_movm_epi8(_mm512_test_epi8_mask(a, a))};
    }
    static FS_INLINE void store_maxima(I8 four, std::int32_t *m) {
        const I8 two = max(four, {_mm512_slli_epi32(four.v, 16)});
        const I8 one = max(two, {_mm512_slli_epi32(two.v, 8)});
        const __m512i last = _mm512_set4_epi32(0x0f0f0f0f, 0x0b0b0b0b, 0x07070707, 0x03030303);
        _mm512_storeu_si512(m, _mm512_shuffle_epi8(one.v, last));
    }
    static FS_INLINE __m512i raw(I8 a) { return a.v; }
    static FS_INLINE __m512i raw(__m512i a) { return a; }
    /// F32::fold moves lanes of 32 bits, whatever they hold.
    template <class T, class F> static FS_INLINE I8 fold(T *v, int count, const F &f) {
        F32 rows[folds];
        for (int i = 0; i < count; ++i)
            rows[i] = {_mm512_castsi512_ps(raw(v[i]))};
        const auto lanewise = [&](F32 a, F32 b) {
            return F32{_mm512_castsi512_ps(
                f(I8{_mm512_castps_si512(a.v)}, I8{_mm512_castps_si512(b.v)}).v)};
        };
        return {_mm512_castps_si512(
            (count == folds ? F32::fold(rows, lanewise) : F32::fold_halves(rows, lanewise)).v)};
    }
};

} // namespace
} // namespace fastsoftmax::FS_ISA
