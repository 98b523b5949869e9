// Feeds the rows of a strided array to a kernel, in blocks that it takes: elements of a row side by
// side, rows at one stride.
//
// Rows that lie so already are passed as they are, all at once where one stride describes them.
// Others are gathered into a scratch buffer, and results scattered from it. The buffer holds 256
// KiB, or 16 rows where that is no more than 16 MiB (neighbouring rows share cache lines), or one
// row: never more, however large the array.
#pragma once
#include "dispatch/thread_pool.hpp"
#include "fastsoftmax/fastsoftmax.hpp"
#include "outer_loop.hpp"
#include "row_view.hpp"
#include <memory>

namespace fastsoftmax {

/// Rows that the scratch buffer takes.
inline std::size_t scratch_rows(std::size_t rows, std::size_t row_bytes) {
    constexpr std::size_t usual = std::size_t{256} << 10, most = std::size_t{16} << 20;
    constexpr std::size_t line = 16;
    const std::size_t fit = usual / std::max<std::size_t>(row_bytes, 1);
    const std::size_t wanted = row_bytes <= most / line ? std::max(fit, line) : fit;
    return std::clamp<std::size_t>(wanted, 1, rows);
}

/// How a job may be split: over how many threads, and how many elements make waking one worthwhile
/// (about 20 us of work).
struct Split {
    int threads;
    std::size_t worthwhile;

    int parts(std::size_t rows, std::size_t n) const {
        const std::size_t most = std::min(rows, rows * n / worthwhile);
        return std::max(1, static_cast<int>(std::min<std::size_t>(most, std::max(threads, 1))));
    }
};

/// Calls f(x, x_stride, y, y_stride, rows, number of the first row), strides in elements, from
/// several threads at once as `split` allows. y may be absent (no data, no strides): then f gets
/// nullptr for it.
template <class T, class F>
void each_block(Array<const T> x, Array<T> y, std::size_t axis, const Split &split, const F &f) {
    const std::size_t n = x.shape[axis], all_rows = count_rows(x.shape, axis, sizeof(T));
    if (all_rows == 0)
        return;
    const bool writes = !y.strides.empty();
    const OuterLoop outer(x.shape, x.strides, y.strides, axis);
    const RowView<const T> xs{x.data, outer.x_row(), x.strides[axis]};
    const RowView<T> ys{y.data, outer.y_row(), writes ? y.strides[axis] : RowView<T>::size};
    const std::size_t group = outer.rows();
    const bool read_direct = xs.direct(group, n) && outer.x_multiple_of(sizeof(T));
    const bool write_direct = !writes || (ys.direct(group, n) && outer.y_multiple_of(sizeof(T)));
    const bool direct = read_direct && write_direct;
    const std::size_t block = direct ? group : scratch_rows(group, n * sizeof(T));

    // rows begin .. end of the whole array, by their number in C order
    const auto walk = [&](std::size_t begin, std::size_t end) {
        const auto scratch = std::make_unique_for_overwrite<T[]>(direct ? 0 : block * n);
        const RowView<T> buffer{scratch.get(), static_cast<std::ptrdiff_t>(n * sizeof(T)),
                                sizeof(T)};
        outer.each([&](std::ptrdiff_t x_offset, std::ptrdiff_t y_offset, std::size_t first) {
            if (first >= end || first + group <= begin)
                return;
            const std::size_t last = std::min(group, end - first);
            for (std::size_t r = begin > first ? begin - first : 0; r < last; r += block) {
                const std::size_t rows = std::min(block, last - r);
                const RowView<const T> from = xs.moved(x_offset).from_row(r);
                const RowView<T> to = writes ? ys.moved(y_offset).from_row(r) : ys;
                if (!read_direct)
                    copy_rows(from, buffer, from, rows, n);
                const RowView<T> target = write_direct ? to : buffer;
                f(read_direct ? from.data : buffer.data,
                  read_direct ? from.stride() : buffer.stride(), target.data, target.stride(), rows,
                  first + r);
                if (!write_direct)
                    copy_rows(buffer, to, to, rows, n);
            }
        });
    };
    const int parts = split.parts(all_rows, n);
    if (parts == 1)
        return walk(0, all_rows);
    run_parts(parts, [&](int part) {
        const std::size_t share = all_rows / parts, extra = all_rows % parts, i = part;
        const std::size_t begin = share * i + std::min(i, extra);
        walk(begin, begin + share + (i < extra ? 1 : 0));
    });
}

} // namespace fastsoftmax
