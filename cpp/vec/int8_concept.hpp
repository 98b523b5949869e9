// What an instruction set must offer to the int8 kernels: bytes, and words made of them.
//
// I8 holds I8::lanes bytes, signed or not as the operation says. I8::Words holds one 16-bit word
// for each of them, in an order that only zip, narrow and store know; I8::Sums holds 32-bit partial
// sums. Arithmetic wraps. An ISA adds one header vec/<isa>_int8.hpp.
//
// What has no cheap form everywhere (64-entry byte permutes) is asked for by a concept of its own.
#pragma once
#include "common/config.hpp"
#include <concepts>
#include <cstddef>
#include <cstdint>

namespace fastsoftmax {

template <class W>
concept WordVector = requires(W a, W b, std::int16_t *to, std::size_t n, int k, float f) {
    { W::set(k) } -> std::same_as<W>;
    { a + b } -> std::same_as<W>;
    { a - b } -> std::same_as<W>;
    { a & b } -> std::same_as<W>;
    { a << k } -> std::same_as<W>; // the same count in every lane
    { a >> k } -> std::same_as<W>; // fills with zeros; nothing is left from 16 on
    { W::mul_low(a, b) } -> std::same_as<W>;
    { W::mul_high(a, b) } -> std::same_as<W>;      // unsigned: a * b / 2^16, cut
    { W::mul_rounded(a, b) } -> std::same_as<W>;   // signed: (a * b + 2^14) / 2^15, cut
    { W::min(a, b) } -> std::same_as<W>;           // unsigned
    { W::nearest(a, k, f, k) } -> std::same_as<W>; // see common/hccs.hpp
    { a.store(to) } -> std::same_as<void>;         // of bytes that went through ordered()
    { a.store_n(to, n) } -> std::same_as<void>;    // n <= lanes; touches nothing beyond n
};

template <class V>
concept Int8Vector =
    WordVector<typename V::Words> &&
    requires(V a, V b, typename V::Words w, typename V::Sums s, V *v, typename V::Sums *sums,
             const std::int8_t *from, const std::uint8_t *bytes, std::uint8_t *to, std::size_t n,
             int k, std::int32_t *results) {
        requires std::same_as<typename V::scalar, std::int8_t>;
        { V::lanes } -> std::convertible_to<int>;
        { V::set(k) } -> std::same_as<V>;
        { V::load(from) } -> std::same_as<V>;
        { V::load_n(from, n) } -> std::same_as<V>;  // n <= lanes; -128 beyond n
        { V::kept(bytes) } -> std::same_as<V>;      // 0xff where the byte isn't 0
        { V::kept_n(bytes, n) } -> std::same_as<V>; // n <= lanes; 0 beyond n
        { V::first(n) } -> std::same_as<V>;         // n <= lanes; 0xff in the first n
        { V::last(n) } -> std::same_as<V>;          // the same in the last n
        { a.store(to) } -> std::same_as<void>;
        { a.store_n(to, n) } -> std::same_as<void>; // n <= lanes; touches nothing beyond n
        { a - b } -> std::same_as<V>;
        { a & b } -> std::same_as<V>;
        { V::where(a, a, b) } -> std::same_as<V>; // the second where the first is 0xff
        { V::max(a, b) } -> std::same_as<V>;      // signed
        { V::min(a, b) } -> std::same_as<V>;      // unsigned
        { V::low_nibble(a) } -> std::same_as<V>;
        { V::high_nibble(a) } -> std::same_as<V>;
        V::table16(bytes);                                        // sixteen entries
        { V::lookup16(V::table16(bytes), a) } -> std::same_as<V>; // by indices 0 .. 15
        { V::ordered(a) } -> std::same_as<V>; // zip() then gives words that store() in order
        { V::zip(a, b) } -> std::same_as<typename V::Words>; // low bytes, high bytes
        {
            V::narrow(w)
        } -> std::same_as<V>; // back to bytes; words are signed and saturate to 0..255
        { V::no_sums() } -> std::same_as<typename V::Sums>;
        { V::add_bytes(s, a) } -> std::same_as<typename V::Sums>; // unsigned
        { V::add_words(s, w) } -> std::same_as<typename V::Sums>; // 0 .. 32767
        { V::add(s, s) } -> std::same_as<typename V::Sums>;
        { V::folds } -> std::convertible_to<int>;           // rows reduced at a time
        { V::maxima(v, results) } -> std::same_as<void>;    // of `folds` vectors, signed
        { V::totals(sums, results) } -> std::same_as<void>; // of `folds` sums
    };

/// What an ISA may offer beside: lookups in tables of 64, 128 or 256 bytes.
template <class V>
concept PermutesBytes = requires(V v, const V *table) {
    { V::template lookup<64>(table, v) } -> std::same_as<V>; // indices below the size of the table
    { V::counting(0) } -> std::same_as<V>;                   // k, k + 1, k + 2 ...
};

} // namespace fastsoftmax
