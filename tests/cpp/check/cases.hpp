// The rows that every kernel is run on: sizes around each lane width, ordinary and nasty data.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

namespace check {

/// NaN whose sign, payload and kind (quiet or signalling) `random` decides. R's NA is one of them.
/// A kernel that reckons with the bits of its logits may make numbers of such NaN.
template <class T> T nan_of(std::uint64_t random) {
    using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
    constexpr int mantissa = std::numeric_limits<T>::digits - 1, size = 8 * sizeof(T);
    constexpr Bits exponent = (Bits{1} << (size - 1 - mantissa)) - 1;
    constexpr Bits payload = (Bits{1} << mantissa) - 1;
    const Bits sign = static_cast<Bits>(random >> 63) << (size - 1);
    const auto low = static_cast<Bits>(random) & payload;
    return std::bit_cast<T>(static_cast<Bits>(sign | (exponent << mantissa) | (low ? low : 1)));
}

/// Some rows of one kind of data. They lie one element off the vector's start, with gaps between
/// them, so that kernels meet odd alignment and strides.
template <class T> struct Case {
    std::string name;
    std::size_t rows = 0, n = 0;
    std::ptrdiff_t stride = 0;
    std::vector<T> storage;

    static constexpr std::size_t lead = 1, gap = 3;

    const T *row(std::size_t r) const {
        return storage.data() + lead + static_cast<std::ptrdiff_t>(r) * stride;
    }
    T *row(std::size_t r) { return const_cast<T *>(static_cast<const Case *>(this)->row(r)); }
};

/// All sizes up to a few thousand with each kind of data, and a few long rows; `brief`: fewer rows
/// of each and no long ones, for emulators.
template <class T> std::vector<Case<T>> ordinary_cases(bool brief);

/// A poisoned or a lone element at every position of small rows.
template <class T> std::vector<Case<T>> positional_cases(bool brief);

/// Single rows of 400,003 elements of every kind and of 2^24 of some; a batch beyond any cache.
template <class T> std::vector<Case<T>> long_cases();

} // namespace check
