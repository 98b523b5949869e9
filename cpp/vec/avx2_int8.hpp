// AVX2: 32 bytes. Words lie in two registers as unpacking leaves them, by halves of 128 bits, which
// packing undoes for free; bytes that went through ordered() unpack into words in order instead.
#pragma once
#include "vec/int8_concept.hpp"
#include <immintrin.h>

namespace fastsoftmax::FS_ISA {
namespace {

struct I8Words {
    __m256i low, high;

    static FS_INLINE I8Words set(int a) {
        const __m256i all = _mm256_set1_epi16(static_cast<short>(a));
        return {all, all};
    }
    static FS_INLINE I8Words spread(std::int32_t two) {
        const __m256i all = _mm256_set1_epi32(two);
        return {all, all};
    }
    friend FS_INLINE I8Words operator+(I8Words a, I8Words b) {
        return {_mm256_add_epi16(a.low, b.low), _mm256_add_epi16(a.high, b.high)};
    }
    friend FS_INLINE I8Words operator-(I8Words a, I8Words b) {
        return {_mm256_sub_epi16(a.low, b.low), _mm256_sub_epi16(a.high, b.high)};
    }
    friend FS_INLINE I8Words operator&(I8Words a, I8Words b) {
        return {_mm256_and_si256(a.low, b.low), _mm256_and_si256(a.high, b.high)};
    }
    friend FS_INLINE I8Words operator<<(I8Words a, int k) {
        return {_mm256_slli_epi16(a.low, k), _mm256_slli_epi16(a.high, k)};
    }
    friend FS_INLINE I8Words operator>>(I8Words a, int k) {
        return {_mm256_srli_epi16(a.low, k), _mm256_srli_epi16(a.high, k)};
    }
    static FS_INLINE __m128i count(std::int32_t two) {
        return _mm_cvtsi32_si128(static_cast<std::uint16_t>(two));
    }
    friend FS_INLINE I8Words operator>>(I8Words a, __m128i k) {
        return {_mm256_srl_epi16(a.low, k), _mm256_srl_epi16(a.high, k)};
    }
    static FS_INLINE I8Words mul_low(I8Words a, I8Words b) {
        return {_mm256_mullo_epi16(a.low, b.low), _mm256_mullo_epi16(a.high, b.high)};
    }
    static FS_INLINE I8Words mul_high(I8Words a, I8Words b) {
        return {_mm256_mulhi_epu16(a.low, b.low), _mm256_mulhi_epu16(a.high, b.high)};
    }
    static FS_INLINE I8Words mul_rounded(I8Words a, I8Words b) {
        return {_mm256_mulhrs_epi16(a.low, b.low), _mm256_mulhrs_epi16(a.high, b.high)};
    }
    static FS_INLINE I8Words min(I8Words a, I8Words b) {
        return {_mm256_min_epu16(a.low, b.low), _mm256_min_epu16(a.high, b.high)};
    }
    static FS_INLINE I8Words mul_high32(I8Words a, I8Words high, I8Words low) {
        return {mul_high32(a.low, high.low, low.low), mul_high32(a.high, high.high, low.high)};
    }
    static FS_INLINE I8Words half(I8Words a) {
        const __m256i zero = _mm256_setzero_si256();
        return {_mm256_avg_epu16(a.low, zero), _mm256_avg_epu16(a.high, zero)};
    }
    static FS_INLINE I8Words load(const std::int16_t *p) {
        const auto *vectors = reinterpret_cast<const __m256i *>(p);
        return {_mm256_loadu_si256(vectors), _mm256_loadu_si256(vectors + 1)};
    }
    FS_INLINE void store(std::int16_t *to) const {
        _mm256_storeu_si256(reinterpret_cast<__m256i *>(to), low);
        _mm256_storeu_si256(reinterpret_cast<__m256i *>(to + 16), high);
    }
    FS_INLINE void store_n(std::int16_t *to, std::size_t n) const {
        alignas(32) std::int16_t copy[32];
        store(copy);
        for (std::size_t i = 0; i < n; ++i)
            to[i] = copy[i];
    }

  private:
    static FS_INLINE __m256i mul_high32(__m256i a, __m256i high, __m256i low) {
        // half of the sum of the lower parts and 1: its highest bit is what they carry
        const __m256i half =
            _mm256_avg_epu16(_mm256_mullo_epi16(a, high), _mm256_mulhi_epu16(a, low));
        return _mm256_add_epi16(_mm256_mulhi_epu16(a, high), _mm256_srli_epi16(half, 15));
    }
};

struct I8 {
    using scalar = std::int8_t;
    using Words = I8Words;
    using Sums = __m256i;
    static constexpr int lanes = 32, folds = F32::lanes;
    __m256i v;

    static FS_INLINE I8 set(int a) { return {_mm256_set1_epi8(static_cast<char>(a))}; }
    static FS_INLINE I8 spread(std::int32_t four) { return {_mm256_set1_epi32(four)}; }
    static FS_INLINE I8 load(const std::int8_t *p) { return {read(p)}; }
    static FS_INLINE I8 load_n(const std::int8_t *p, std::size_t n) {
        return {_mm256_blendv_epi8(set(-128).v, read_n(p, n), first(n).v)};
    }
    static FS_INLINE I8 unmasked(const std::uint8_t *p) { return not_zero(read(p)); }
    static FS_INLINE I8 unmasked_n(const std::uint8_t *p, std::size_t n) {
        return not_zero(read_n(p, n)) & first(n);
    }
    static FS_INLINE I8 first(std::size_t n) {
        const __m256i place =
            _mm256_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
                             20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31);
        return {_mm256_cmpgt_epi8(set(static_cast<int>(n)).v, place)};
    }
    static FS_INLINE I8 last(std::size_t n) { return set(-1) - first(lanes - n); }
    FS_INLINE void store(std::uint8_t *to) const {
        _mm256_storeu_si256(reinterpret_cast<__m256i *>(to), v);
    }
    FS_INLINE void store_n(std::uint8_t *to, std::size_t n) const {
        alignas(32) std::uint8_t copy[lanes];
        store(copy);
        __builtin_memcpy(to, copy, n);
    }
    friend FS_INLINE I8 operator-(I8 a, I8 b) { return {_mm256_sub_epi8(a.v, b.v)}; }
    friend FS_INLINE I8 operator&(I8 a, I8 b) { return {_mm256_and_si256(a.v, b.v)}; }
    static FS_INLINE I8 where(I8 k, I8 a, I8 b) { return {_mm256_blendv_epi8(b.v, a.v, k.v)}; }
    static FS_INLINE I8 max(I8 a, I8 b) { return {_mm256_max_epi8(a.v, b.v)}; }
    static FS_INLINE I8 min(I8 a, I8 b) { return {_mm256_min_epu8(a.v, b.v)}; }
    static FS_INLINE I8 low_nibble(I8 a) { return a & set(15); }
    static FS_INLINE I8 high_nibble(I8 a) { return I8{_mm256_srli_epi16(a.v, 4)} & set(15); }
    static FS_INLINE I8 table16(const std::uint8_t *entries) {
        return {_mm256_broadcastsi128_si256(
            _mm_loadu_si128(reinterpret_cast<const __m128i *>(entries)))};
    }
    static FS_INLINE I8 lookup16(I8 table, I8 i) { return {_mm256_shuffle_epi8(table.v, i.v)}; }
    static FS_INLINE I8 ordered(I8 a) { return {_mm256_permute4x64_epi64(a.v, 0xd8)}; }
    static FS_INLINE Words zip(I8 low, I8 high) {
        return {_mm256_unpacklo_epi8(low.v, high.v), _mm256_unpackhi_epi8(low.v, high.v)};
    }
    static FS_INLINE I8 narrow(Words w) { return {_mm256_packus_epi16(w.low, w.high)}; }
    static FS_INLINE Sums no_sums() { return _mm256_setzero_si256(); }
    static FS_INLINE Sums add(Sums a, Sums b) { return _mm256_add_epi32(a, b); }
    static FS_INLINE Sums add_bytes(Sums s, I8 a) {
        return add(s, _mm256_sad_epu8(a.v, _mm256_setzero_si256()));
    }
    static FS_INLINE Sums add_words(Sums s, Words a) {
        const __m256i one = _mm256_set1_epi16(1);
        return add(s, add(_mm256_madd_epi16(a.low, one), _mm256_madd_epi16(a.high, one)));
    }
    static FS_INLINE void maxima(I8 *v, std::int32_t *m) {
        const __m256i four = fold(v, [](I8 a, I8 b) { return max(a, b); }).v;
        const __m256i two = _mm256_max_epi8(four, _mm256_slli_epi32(four, 16));
        const __m256i one = _mm256_max_epi8(two, _mm256_slli_epi32(two, 8));
        const __m256i last = _mm256_setr_epi32(0x03030303, 0x07070707, 0x0b0b0b0b, 0x0f0f0f0f,
                                               0x03030303, 0x07070707, 0x0b0b0b0b, 0x0f0f0f0f);
        _mm256_storeu_si256(reinterpret_cast<__m256i *>(m), _mm256_shuffle_epi8(one, last));
    }
    static FS_INLINE void totals(Sums *s, std::int32_t *t) {
        const I8 sums = fold(s, [](I8 a, I8 b) { return I8{add(a.v, b.v)}; });
        _mm256_storeu_si256(reinterpret_cast<__m256i *>(t), sums.v);
    }

  private:
    static FS_INLINE __m256i read(const void *p) {
        return _mm256_loadu_si256(static_cast<const __m256i *>(p));
    }
    static FS_INLINE __m256i read_n(const void *p, std::size_t n) {
        alignas(32) std::uint8_t copy[lanes] = {};
        __builtin_memcpy(copy, p, n);
        return read(copy);
    }
    static FS_INLINE I8 not_zero(__m256i a) {
        return {
            _mm256_xor_si256(_mm256_cmpeq_epi8(a, _mm256_setzero_si256()), _mm256_set1_epi8(-1))};
    }
    static FS_INLINE __m256i bits(I8 a) { return a.v; }
    static FS_INLINE __m256i bits(__m256i a) { return a; }
    /// F32::fold moves lanes of 32 bits, whatever they hold.
    template <class T, class F> static FS_INLINE I8 fold(T *v, const F &f) {
        F32 rows[folds];
        for (int i = 0; i < folds; ++i)
            rows[i] = {_mm256_castsi256_ps(bits(v[i]))};
        return {_mm256_castps_si256(
            F32::fold(rows, [&](F32 a, F32 b) {
                return F32{_mm256_castsi256_ps(
                    f(I8{_mm256_castps_si256(a.v)}, I8{_mm256_castps_si256(b.v)}).v)};
            }).v)};
    }
};

} // namespace
} // namespace fastsoftmax::FS_ISA
