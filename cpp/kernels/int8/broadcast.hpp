// What belongs to the rows of a group, one number each: where a row lies, and words that are spread
// over a vector.
//
// A number that lanes of 32 bits can be filled with straight from memory costs one load; from a
// byte or a word it takes a shuffle beside. So bytes are stored four times, words twice.
#pragma once
#include "kernels/arguments.hpp"

namespace fastsoftmax {

/// A word, 0 .. 65535, twice, as V::Words::spread takes it.
FS_INLINE std::int32_t in_both_halves(std::int32_t word) {
    const auto low = static_cast<std::uint32_t>(word);
    return static_cast<std::int32_t>(low << 16 | low); // a product of 32 bits would take longer
}

/// What mul_rounded takes for (a + 2^(k - 1)) >> k, k from 1 on, of words below 2^15.
FS_INLINE std::int32_t rounding_factor(std::int32_t k) { return k < 16 ? 0x8000 >> k : 0; }

/// Reads what belongs to row i of a group.
template <class V> struct OneRow {
    std::size_t i;
    FS_INLINE auto words(const std::int32_t *of) const { return V::Words::spread(of[i]); }
    FS_INLINE auto count(const std::int32_t *of) const { return V::Words::count(of[i]); }
};

/// The rows of a group; beyond the last row it is repeated, to have no special case.
template <class V, std::size_t Group> class RowPointers {
  public:
    // not inlined: as vectors it is a tenth of each class that has it
    __attribute__((noinline)) RowPointers(const Int8Arguments &a, std::size_t first,
                                          std::size_t rows) {
        const std::int8_t *row = a.x + static_cast<std::ptrdiff_t>(first) * a.x_stride;
        const std::size_t whole = rows / 16 * 16;
        for (std::size_t i = 0; i < whole; ++i)
            rows_[i] = row + static_cast<std::ptrdiff_t>(i) * a.x_stride;
        for (std::size_t i = whole; i < (rows + 15) / 16 * 16; ++i)
            rows_[i] = row + static_cast<std::ptrdiff_t>(i < rows ? i : rows - 1) * a.x_stride;
    }
    FS_INLINE const std::int8_t *operator[](std::size_t i) const { return rows_[i]; }

  private:
    const std::int8_t *rows_[Group];
};

} // namespace fastsoftmax
