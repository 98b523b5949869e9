// How columns of `exact` are cut and folded (blocked.hpp), and the scratch space that
// takes.
#pragma once
#include <cstddef>

namespace fastsoftmax {

/// Rows of a column that share an exponent.
inline constexpr std::size_t rows_of_an_exponent = 8;

/// Of a vector of columns: all are columns, or so many as are counted.
enum class Lanes { all, counted };

/// So few columns without gaps are folded, to rows of so many; all of them belong to one call.
inline constexpr std::size_t narrow_columns = 31, folded_columns = 256;

/// Columns that are walked down together: wide strips use each page that they touch better. Their
/// exponents take 16 MiB at most.
inline constexpr std::size_t most_strip_columns = 1024;
template <class T> constexpr std::size_t strip_columns(std::size_t n) {
    const std::size_t fit = (std::size_t{16} << 20) / sizeof(T) / (n / rows_of_an_exponent + 2);
    const std::size_t whole = fit / 16 * 16;
    return whole < 16 ? 16 : whole < most_strip_columns ? whole : most_strip_columns;
}

/// Elements: `width` columns side by side, or the exponents of a strip with its cut vectors.
template <class T>
constexpr std::size_t column_scratch(std::size_t n, std::size_t columns, std::size_t width) {
    const std::size_t strip = columns <= narrow_columns       ? folded_columns
                              : columns < strip_columns<T>(n) ? columns
                                                              : strip_columns<T>(n);
    const std::size_t exponents = (n / rows_of_an_exponent + 2) * (strip + 32);
    return exponents > width * n ? exponents : width * n;
}

} // namespace fastsoftmax
