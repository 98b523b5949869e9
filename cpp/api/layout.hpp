// How the rows of a job reach a kernel, and the scratch space that takes.
#pragma once
#include "rows_job.hpp"

#include <memory>

namespace fastsoftmax {

enum class Way {
    rows,            ///< as they are, elements side by side
    columns,         ///< as they are, rows side by side: each lane takes one (kernels/columns.hpp)
    prepared_rows,   ///< after kernels/prepare.hpp
    prepared_columns ///< the same, by columns
};

struct Layout {
    Way way;
    bool in_result;           ///< prepared rows go straight into y, which needs no scratch space
    std::size_t block;        ///< rows at a time
    std::ptrdiff_t stride;    ///< between rows of the scratch space, or between elements of columns
    std::size_t scratch_size; ///< elements
};

/// Elements of scratch space: a block of rows stays in L1, one of columns in L2. A single row may
/// be longer; columns may not, beyond 16 MiB for as many as share a cache line.
inline constexpr std::size_t row_block = 8192, column_block = 65536, line = 16;
inline constexpr std::size_t longest_column = (std::size_t{16} << 20) / 64;

template <class T>
bool lies_direct(const void *data, std::ptrdiff_t inner, std::ptrdiff_t step, std::size_t extent) {
    constexpr auto size = static_cast<std::ptrdiff_t>(sizeof(T));
    return (inner == size || extent <= 1) && step % size == 0 &&
           reinterpret_cast<std::uintptr_t>(data) % alignof(T) == 0;
}

template <class T> Layout layout_of(const RowsJob<T> &job, bool has_columns) {
    constexpr auto size = static_cast<std::ptrdiff_t>(sizeof(T));
    const OuterLoop &outer = job.outer;
    const std::ptrdiff_t x_row = outer.stride(logits), y_row = outer.stride(results);
    const std::size_t group = outer.rows(), length = job.n + (job.sink ? 1 : 0);
    const bool writes = job.y, same = job.format == Format::same;

    const bool x_rows =
        same && lies_direct<T>(job.x, job.x_step, 0, job.n) && outer.multiple_of(logits, size);
    const bool y_rows = !writes || (same && lies_direct<T>(job.y, job.y_step, 0, job.n) &&
                                    outer.multiple_of(results, size));
    if (job.plain() && x_rows && y_rows)
        return {Way::rows, false, group, 0, 0};

    if (has_columns && group > 1 && std::abs(x_row) < std::abs(job.x_step) &&
        length <= longest_column) {
        const std::size_t fit = column_block / length / (4 * line) * (4 * line);
        const std::size_t width = std::min(std::max(fit, line), group);
        const std::size_t padded = (width + line - 1) / line * line;
        const bool direct = job.plain() && lies_direct<T>(job.x, x_row, job.x_step, group) &&
                            outer.multiple_of(logits, size) &&
                            (!writes || (lies_direct<T>(job.y, y_row, job.y_step, group) &&
                                         outer.multiple_of(results, size)));
        return {direct ? Way::columns : Way::prepared_columns, false, width,
                static_cast<std::ptrdiff_t>(padded), padded * length};
    }

    const std::size_t padded = (length + line - 1) / line * line;
    const std::size_t fit = row_block / std::max<std::size_t>(padded, 1);
    const std::size_t rows = fit >= line ? fit / line * line : std::max<std::size_t>(fit, 1);
    const std::size_t block = std::min(rows, group);
    if (writes && y_rows && !job.sink)
        return {Way::prepared_rows, true, block, y_row / size, 0};
    return {Way::prepared_rows, false, block, static_cast<std::ptrdiff_t>(padded), padded * block};
}

/// Scratch space that starts at a cache line.
template <class T> class Scratch {
  public:
    explicit Scratch(std::size_t size)
        : space_(size ? std::make_unique_for_overwrite<T[]>(size + line) : nullptr) {}
    T *data() const {
        const auto address = reinterpret_cast<std::uintptr_t>(space_.get());
        return space_.get() + (-address % 64) / sizeof(T);
    }

  private:
    std::unique_ptr<T[]> space_;
};

} // namespace fastsoftmax
