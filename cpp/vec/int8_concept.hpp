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
concept WordVector = requires(W a, W b, std::int16_t *to, const std::int16_t *from, std::size_t n,
                              int k, std::int32_t two) {
    { W::set(k) } -> std::same_as<W>;
    { W::spread(two) } -> std::same_as<W>; // two equal words to all lanes; cheaper from memory
    { a + b } -> std::same_as<W>;
    { a - b } -> std::same_as<W>;
    { a & b } -> std::same_as<W>;
    { a << k } -> std::same_as<W>;             // a constant count, the same in every lane
    { a >> k } -> std::same_as<W>;             // the same; fills with zeros
    { a >> W::count(two) } -> std::same_as<W>; // any count, from two equal words; 16: all zeros
    { W::mul_low(a, b) } -> std::same_as<W>;
    { W::mul_high(a, b) } -> std::same_as<W>;      // unsigned: a * b / 2^16, cut
    { W::mul_rounded(a, b) } -> std::same_as<W>;   // signed: (a * b + 2^14) / 2^15, cut
    { W::mul_high32(a, b, b) } -> std::same_as<W>; // (a * (2^16 b + c) + 2^16) / 2^32, cut
    { W::half(a) } -> std::same_as<W>;             // unsigned: (a + 1) / 2, cut
    { W::min(a, b) } -> std::same_as<W>;           // unsigned
    { a.store(to) } -> std::same_as<void>;         // in order if bytes went through ordered()
    { a.store_n(to, n) } -> std::same_as<void>;    // n <= lanes; touches nothing beyond n
    { W::load(from) } -> std::same_as<W>;          // what store() wrote
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
        { V::spread(k) } -> std::same_as<V>; // four equal bytes to all lanes; cheaper from memory
        { V::load(from) } -> std::same_as<V>;
        { V::load_n(from, n) } -> std::same_as<V>;      // n <= lanes; -128 beyond n
        { V::unmasked(bytes) } -> std::same_as<V>;      // 0xff where the byte isn't 0
        { V::unmasked_n(bytes, n) } -> std::same_as<V>; // n <= lanes; 0 beyond n
        { V::first(n) } -> std::same_as<V>;             // n <= lanes; 0xff in the first n
        { V::last(n) } -> std::same_as<V>;              // the same in the last n
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
        { V::maxima(v, results) } -> std::same_as<void>;    // of `folds` vectors, each four times
        { V::totals(sums, results) } -> std::same_as<void>; // of `folds` sums
    };

/// What an ISA may offer beside: lookups in tables of 64, 128 or 256 bytes.
template <class V>
concept PermutesBytes = requires(V v, const V *table) {
    { V::template lookup<64>(table, v) } -> std::same_as<V>; // indices below the size of the table
    { V::counting(0) } -> std::same_as<V>;                   // k, k + 1, k + 2 ...
    { v + v } -> std::same_as<V>;
};

/// Two rows of up to half a vector in one. Words of bytes that went through ordered() have the
/// first row in one register and the second in the other; else both have both, half by half.
template <class V>
concept PairsRows =
    requires(V v, V *all, typename V::Words w, typename V::Sums *sums, const std::int8_t *from,
             std::uint8_t *to, std::int16_t *words, std::size_t n, std::int32_t four,
             std::int32_t *results, typename V::Half half) {
        { V::half_of(n) } -> std::same_as<typename V::Half>;  // n elements, n <= lanes / 2
        { V::load_two(from, from, half) } -> std::same_as<V>; // -128 beyond them
        { V::first_of_two(half) } -> std::same_as<V>;         // 0xff in them
        { V::spread_two(four, four) } -> std::same_as<V>;
        { V::Words::template spread_two<true>(four, four) } -> std::same_as<typename V::Words>;
        { w >> w } -> std::same_as<typename V::Words>;
        {
            V::maxima_of_two(all, results)
        } -> std::same_as<void>; // of 8: rows 0..7, then the seconds
        { V::totals_of_two(sums, results) } -> std::same_as<void>; // the same
        { v.store_first(to, half) } -> std::same_as<void>;
        { w.store_second(words, half) } -> std::same_as<void>;
    };

} // namespace fastsoftmax
