// One byte at a time, in plain C++: what every other ISA must agree with, bit for bit.
#pragma once
#include "vec/int8_concept.hpp"

namespace fastsoftmax::FS_ISA {
namespace {

struct I8Words {
    std::uint32_t v; // 0 .. 65535

    static FS_INLINE I8Words set(int a) { return {static_cast<std::uint16_t>(a)}; }
    static FS_INLINE I8Words spread(std::int32_t two) { return set(two); }
    friend FS_INLINE I8Words operator+(I8Words a, I8Words b) { return {(a.v + b.v) & 0xffff}; }
    friend FS_INLINE I8Words operator-(I8Words a, I8Words b) { return {(a.v - b.v) & 0xffff}; }
    friend FS_INLINE I8Words operator&(I8Words a, I8Words b) { return {a.v & b.v}; }
    friend FS_INLINE I8Words operator<<(I8Words a, int k) { return {(a.v << k) & 0xffff}; }
    friend FS_INLINE I8Words operator>>(I8Words a, int k) { return {a.v >> k}; }
    static FS_INLINE int count(std::int32_t two) { return static_cast<std::uint16_t>(two); }
    static FS_INLINE I8Words mul_low(I8Words a, I8Words b) { return {(a.v * b.v) & 0xffff}; }
    static FS_INLINE I8Words mul_high(I8Words a, I8Words b) { return {(a.v * b.v) >> 16}; }
    static FS_INLINE I8Words mul_rounded(I8Words a, I8Words b) {
        const int product = static_cast<std::int16_t>(a.v) * static_cast<std::int16_t>(b.v);
        return set((product + 0x4000) >> 15);
    }
    static FS_INLINE I8Words min(I8Words a, I8Words b) { return {a.v < b.v ? a.v : b.v}; }
    static FS_INLINE I8Words mul_high32(I8Words a, I8Words high, I8Words low) {
        const std::uint64_t factor = high.v << 16 | low.v;
        return {static_cast<std::uint32_t>((a.v * factor + 0x10000) >> 32)};
    }
    static FS_INLINE I8Words half(I8Words a) { return {(a.v + 1) >> 1}; }
    static FS_INLINE I8Words load(const std::int16_t *p) {
        return {static_cast<std::uint16_t>(*p)};
    }
    FS_INLINE void store(std::int16_t *to) const { *to = static_cast<std::int16_t>(v); }
    FS_INLINE void store_n(std::int16_t *to, std::size_t n) const {
        if (n > 0)
            store(to);
    }
};

struct I8 {
    using scalar = std::int8_t;
    using Words = I8Words;
    using Sums = std::uint32_t;
    static constexpr int lanes = 1, folds = 1;
    std::uint8_t v;

    static FS_INLINE I8 set(int a) { return {static_cast<std::uint8_t>(a)}; }
    static FS_INLINE I8 spread(std::int32_t four) { return set(four); }
    static FS_INLINE I8 load(const std::int8_t *p) { return set(*p); }
    static FS_INLINE I8 load_n(const std::int8_t *p, std::size_t n) {
        return n > 0 ? load(p) : set(-128);
    }
    static FS_INLINE I8 unmasked(const std::uint8_t *p) { return set(*p ? 0xff : 0); }
    static FS_INLINE I8 unmasked_n(const std::uint8_t *p, std::size_t n) {
        return n > 0 ? unmasked(p) : set(0);
    }
    static FS_INLINE I8 first(std::size_t n) { return set(n > 0 ? 0xff : 0); }
    static FS_INLINE I8 last(std::size_t n) { return first(n); }
    FS_INLINE void store(std::uint8_t *to) const { *to = v; }
    FS_INLINE void store_n(std::uint8_t *to, std::size_t n) const {
        if (n > 0)
            store(to);
    }
    friend FS_INLINE I8 operator-(I8 a, I8 b) { return set(a.v - b.v); }
    friend FS_INLINE I8 operator&(I8 a, I8 b) { return set(a.v & b.v); }
    static FS_INLINE I8 where(I8 k, I8 a, I8 b) { return k.v ? a : b; }
    static FS_INLINE I8 max(I8 a, I8 b) { return as_signed(a) > as_signed(b) ? a : b; }
    static FS_INLINE I8 min(I8 a, I8 b) { return a.v < b.v ? a : b; }
    static FS_INLINE I8 low_nibble(I8 a) { return set(a.v & 15); }
    static FS_INLINE I8 high_nibble(I8 a) { return set(a.v >> 4); }
    // A "vector" of one byte can't hold sixteen entries: the table stays where it is
    struct Table {
        const std::uint8_t *entries;
    };
    static FS_INLINE Table table16(const std::uint8_t *entries) { return {entries}; }
    static FS_INLINE I8 lookup16(Table table, I8 i) { return {table.entries[i.v]}; }
    static FS_INLINE I8 ordered(I8 a) { return a; }
    static FS_INLINE Words zip(I8 low, I8 high) { return {low.v + 256u * high.v}; }
    static FS_INLINE I8 narrow(Words w) { return set(w.v > 255 ? 255 : static_cast<int>(w.v)); }
    static FS_INLINE Sums no_sums() { return 0; }
    static FS_INLINE Sums add(Sums a, Sums b) { return a + b; }
    static FS_INLINE Sums add_bytes(Sums s, I8 a) { return s + a.v; }
    static FS_INLINE Sums add_words(Sums s, Words a) { return s + a.v; }
    static FS_INLINE void maxima(I8 *v, std::int32_t *m) {
        *m = static_cast<std::int32_t>(v->v * 0x01010101u);
    }
    static FS_INLINE void totals(Sums *s, std::int32_t *t) { *t = static_cast<std::int32_t>(*s); }

  private:
    static FS_INLINE int as_signed(I8 a) { return static_cast<std::int8_t>(a.v); }
};

} // namespace
} // namespace fastsoftmax::FS_ISA
