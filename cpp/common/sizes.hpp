// Products of sizes. Extents come from callers, and from files: their product may be more than a
// size can say, and memory for what is left of it would be written past its end.
#pragma once
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>

namespace fastsoftmax {

/// The most bytes that an array can have: distances in it have a sign.
inline constexpr std::size_t most_bytes = PTRDIFF_MAX;

/// a * b, or the largest size where that is more.
constexpr std::size_t times(std::size_t a, std::size_t b) {
    std::size_t product = 0;
    return __builtin_mul_overflow(a, b, &product) ? SIZE_MAX : product;
}

/// The product of all, or the largest size where that is more; 0 where one of them is 0.
constexpr std::size_t product(std::initializer_list<std::size_t> factors) {
    std::size_t all = 1;
    for (const std::size_t factor : factors)
        all = times(all, factor);
    return all;
}

/// The product, which is a number of bytes; throws where no memory can have so many.
inline std::size_t checked_bytes(const char *what, std::initializer_list<std::size_t> factors) {
    const std::size_t bytes = product(factors);
    if (bytes > most_bytes)
        throw std::length_error(std::string(what) + " would take 2^63 bytes or more, and no memory "
                                                    "has so many; use smaller extents");
    return bytes;
}

} // namespace fastsoftmax
