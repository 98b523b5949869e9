// Softmax of columns in one walk down memory: blocks with maxima of their own, merged after.
//
// What rows/long.hpp is for rows. A strip of columns is walked row by row, so that memory is read
// and written along its lines and pages, whatever the length of a row. 16 rows of a vector are one
// block: they wait in registers for their maximum, and their weights, relative to the power of two
// that the maxima so far call for, go straight to y. The sums follow a rising maximum by a power of
// two, which is exact. A last pass multiplies each block by its own factor, the last block first:
// it is still in cache. Scratch space holds the exponents, one for 8 rows.
//
// `python bench/run.py --only axes` has its times. Rejected: one pass after another over a tile in
// scratch space; tiles of 64 columns, each walked to the end with states in registers, which is
// better for those 64 columns and for no others.
// Rows a multiple of 4 KiB apart share the sets of an L1 cache: there blocks are of 8 rows,
// elsewhere of 16. Wide strips have their first vector cut at a cache line.
//
// Few columns without gaps are folded: several rows side by side are one row of more columns, whose
// sums are merged in the end. A call with so few columns goes to one thread.
//
// For exp only: surrogates' weights relative to two maxima can't be compared. x must not be y.
// A column whose maximum is extreme or infinite is left to the caller, who overwrites what is
// garbage here. Columns of -inf, or with a NaN, turn out as NaN by their sums. No column's bits
// depend on its neighbours, unless it is folded: sums have one order, and powers of two are exact.
#pragma once
#include "common/weights/variants.hpp"
#include "kernels/arguments.hpp"
#include "kernels/columns/strip.hpp"

namespace fastsoftmax {

template <class V> class BlockedColumns {
    using T = typename V::scalar;
    using Strip = ColumnStrip<V>;
    static constexpr std::size_t lanes = V::lanes;

  public:
    /// Fewer rows are not worth their exponents.
    static constexpr std::size_t shortest = 16;

    static bool takes(const ColumnsArguments<T> &a) {
        return a.n >= shortest && a.z != a.x && a.x != a.y;
    }

    /// f(arguments) does columns that are left.
    template <class F> static FS_INLINE void run(const ColumnsArguments<T> &a, const F &f) {
        const std::size_t fold = rows_to_fold(a);
        if (fold > 1)
            return strip(a, 0, a.columns, fold, f);
        const std::size_t width = strip_columns<T>(a.n);
        for (std::size_t c = 0; c < a.columns; c += width)
            strip(a, c, a.columns - c < width ? a.columns - c : width, 1, f);
    }

  private:
    /// How many rows make one of whole vectors; 1 where that is not to be had.
    static FS_INLINE std::size_t rows_to_fold(const ColumnsArguments<T> &a) {
        const auto columns = static_cast<std::ptrdiff_t>(a.columns);
        if (a.columns > narrow_columns || a.x_step != columns || a.y_step != columns)
            return 1;
        std::size_t fold = 1;
        while (fold * a.columns % lanes || fold * a.columns < 4 * lanes)
            fold *= 2;
        if (fold * a.columns > folded_columns)
            fold = folded_columns / a.columns;
        return a.n >= shortest * fold ? fold : 1;
    }
    template <class F>
    static FS_INLINE void strip(const ColumnsArguments<T> &a, std::size_t first,
                                std::size_t columns, std::size_t fold, const F &f) {
        Strip walk(a, first, columns, fold);
        walk.run();
        for (std::size_t c = 0; c < columns; ++c) {
            const std::size_t begin = c;
            while (c < columns && walk.is_declined(c))
                ++c;
            if (c == begin)
                continue;
            ColumnsArguments<T> declined = a;
            declined.x += first + begin;
            declined.y += first + begin;
            declined.columns = c - begin;
            f(declined);
        }
    }
};

} // namespace fastsoftmax
