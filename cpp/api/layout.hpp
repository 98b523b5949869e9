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

/// What becomes of prepared rows: the kernel works in y, or writes to y, or in scratch space from
/// which kernels/finish.hpp takes them.
enum class Target { in_place, direct, finished };

struct Layout {
    Way way;
    Target target;
    std::size_t block;        ///< rows at a time
    std::ptrdiff_t stride;    ///< between rows of the scratch space, or between elements of columns
    std::size_t scratch_size; ///< elements
};

/// A block of rows stays in L1, in as much scratch space; a single row may be longer. Columns go by
/// as many as fill four vectors; their scratch space is bounded by 16 MiB.
inline constexpr std::size_t row_block = 8192, line = 16, tile_columns = 64;
inline constexpr std::size_t longest_column =
    (std::size_t{16} << 20) / sizeof(double) / tile_columns;

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
        return {Way::rows, Target::direct, group, 0, 0};

    if (has_columns && group > 1 && std::abs(x_row) < std::abs(job.x_step) &&
        length <= longest_column) {
        const bool direct = job.plain() && lies_direct<T>(job.x, x_row, job.x_step, group) &&
                            outer.multiple_of(logits, size) &&
                            (!writes || (lies_direct<T>(job.y, y_row, job.y_step, group) &&
                                         outer.multiple_of(results, size)));
        return {direct ? Way::columns : Way::prepared_columns, Target::finished,
                direct ? group : std::min(group, tile_columns), tile_columns,
                tile_columns * length};
    }

    const std::size_t padded = (length + line - 1) / line * line;
    const std::size_t fit = row_block / std::max<std::size_t>(padded, 1);
    const std::size_t rows = fit >= line ? fit / line * line : std::max<std::size_t>(fit, 1);
    const std::size_t block = std::min(rows, group);
    // a long row that needs no other form waits in y: its scratch space would be as long
    const bool direct = writes && y_rows && !job.sink;
    if (direct && length > 2 * row_block)
        return {Way::prepared_rows, Target::in_place, block, y_row / size, 0};
    return {Way::prepared_rows, direct ? Target::direct : Target::finished, block,
            static_cast<std::ptrdiff_t>(padded), padded * block};
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
