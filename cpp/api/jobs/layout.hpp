// How the rows of a job reach a kernel, and the scratch space that takes.
#pragma once
#include "api/jobs/rows_job.hpp"
#include "kernels/columns/scratch.hpp"

#include <memory>

namespace fastsoftmax {

enum class Way {
    rows,    ///< as they are, elements side by side
    columns, ///< as they are, rows side by side: each lane takes one (kernels/columns/tiled.hpp)
    prepared_rows,   ///< after kernels/convert/prologue.hpp
    prepared_columns ///< the same, by columns
};

/// What becomes of prepared rows: the kernel works in y, or writes to y, or in scratch space from
/// which kernels/convert/epilogue.hpp takes them.
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
inline constexpr std::size_t row_block = 4096, line = 16;
inline constexpr std::size_t tile_columns = 64, tile_bytes = std::size_t{16} << 20;

/// How many columns go by at a time: those that share a cache line where a tile of four vectors
/// would leave the L2 cache; none where even they are too long.
inline std::size_t columns_at_once(std::size_t length, std::size_t item, std::size_t columns) {
    constexpr std::size_t usual = std::size_t{1} << 20;
    const std::size_t width = product({length, item, tile_columns}) <= usual ? tile_columns : line;
    const std::size_t padded = std::min(width, (columns + line - 1) / line * line);
    return padded * item <= tile_bytes / std::max<std::size_t>(length, 1) ? padded : 0;
}

template <class T>
bool lies_direct(const void *data, std::ptrdiff_t inner, std::ptrdiff_t step, std::size_t extent) {
    constexpr auto size = static_cast<std::ptrdiff_t>(sizeof(T));
    return (inner == size || extent <= 1) && step % size == 0 &&
           reinterpret_cast<std::uintptr_t>(data) % alignof(T) == 0;
}

/// Rows that belong to one thread: few columns without gaps, whose kernel may fold them.
template <class T> std::size_t inseparable_rows(const RowsJob<T> &job, const Layout &layout) {
    const std::size_t group = job.outer.rows();
    const auto bytes = static_cast<std::ptrdiff_t>(group * sizeof(T));
    const bool narrow = layout.way == Way::columns && group <= narrow_columns && job.y;
    return narrow && job.x_step == bytes && job.y_step == bytes ? group : 1;
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

    const std::size_t width = columns_at_once(length, sizeof(T), group);
    if (has_columns && group > 1 && std::abs(x_row) < std::abs(job.x_step) && width > 0) {
        const bool direct = job.plain() && lies_direct<T>(job.x, x_row, job.x_step, group) &&
                            outer.multiple_of(logits, size) &&
                            (!writes || (lies_direct<T>(job.y, y_row, job.y_step, group) &&
                                         outer.multiple_of(results, size)));
        return {direct ? Way::columns : Way::prepared_columns, Target::finished,
                direct ? group : std::min(group, width), static_cast<std::ptrdiff_t>(width),
                direct ? column_scratch<T>(length, group, width) : width * length};
    }

    const std::size_t padded = (length + line - 1) / line * line;
    const std::size_t fit = row_block / std::max<std::size_t>(padded, 1);
    const std::size_t rows = fit >= line ? fit / line * line : std::max<std::size_t>(fit, 1);
    const std::size_t block = std::min(rows, group);
    // a long row that needs no other form waits in y: its scratch space would be as long
    const bool direct = writes && y_rows && !job.sink;
    if (direct && length > 4 * row_block)
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
