// A strip of columns in memory: its vectors, its rows, and how many rows are folded into one.
#pragma once
#include "kernels/columns/scratch.hpp"
#include "kernels/columns/tile.hpp"
#include "kernels/rows/passes.hpp"

namespace fastsoftmax {

template <class V> struct StripShape {
    using T = typename V::scalar;
    static constexpr std::size_t lanes = V::lanes, block = rows_of_an_exponent;
    static constexpr std::size_t cut_from = 8 * lanes; ///< columns whose first vector is cut

    /// Less than a vector of columns, or one: `state` is its place in the arrays of StripState.
    struct Part {
        std::size_t count, column, state;
    };

    const T *const x;
    T *const y;
    const std::ptrdiff_t x_step, y_step;
    /// Real columns, rows folded into one, columns then; rows, and elements of a last one
    const std::size_t own, fold, columns, n, more;
    const std::size_t cut, padded; ///< columns before a cache line of y; of the arrays

    FS_INLINE StripShape(const ColumnsArguments<T> &a, std::size_t first, std::size_t count,
                         std::size_t rows)
        : x(a.x + first), y(a.y + first), x_step(a.x_step * static_cast<std::ptrdiff_t>(rows)),
          y_step(a.y_step * static_cast<std::ptrdiff_t>(rows)), own(count), fold(rows),
          columns(count * rows), n(a.n / rows), more(a.n % rows * count),
          cut(columns >= cut_from && rows == 1 ? first_aligned<V>(y) : 0),
          padded((cut ? lanes : 0) + (columns - cut + lanes - 1) / lanes * lanes) {}

    /// Rows a multiple of 4 KiB apart share the sets of an L1 cache.
    FS_INLINE bool far() const { return static_cast<std::size_t>(x_step) * sizeof(T) % 4096 == 0; }
    FS_INLINE const T *from(std::size_t row, const Part &p) const {
        return x + static_cast<std::ptrdiff_t>(row) * x_step + p.column;
    }
    FS_INLINE T *to(std::size_t row, const Part &p) const {
        return y + static_cast<std::ptrdiff_t>(row) * y_step + p.column;
    }
    /// A vector, or if Cut the first `count` lanes of one; -inf beyond.
    template <bool Cut> static FS_INLINE V load(const T *p, std::size_t count) {
        return Cut ? V::load_n(p, count, lowest_value<V>()) : V::load(p);
    }
    template <bool Cut> static FS_INLINE void store(V v, T *p, std::size_t count) {
        if constexpr (Cut)
            v.store_n(p, count);
        else
            v.store(p);
    }
    static FS_INLINE V load_some(const T *p, std::size_t count) {
        return count == lanes ? V::load(p) : load<true>(p, count);
    }
    static FS_INLINE void store_some(V v, T *p, std::size_t count) {
        if (count == lanes)
            v.store(p);
        else
            v.store_n(p, count);
    }
    FS_INLINE std::size_t state_of(std::size_t column) const {
        return cut && column >= cut ? column - cut + lanes : column;
    }

    /// whole(Part) for whole vectors, part(Part) for others.
    template <class Whole, class Some>
    FS_INLINE void vectors(const Whole &whole, const Some &part) const {
        std::size_t c = cut, s = cut ? lanes : 0;
        if (lanes > 1 && cut)
            part(Part{cut, 0, 0});
        for (; c + lanes <= columns; c += lanes, s += lanes)
            whole(Part{lanes, c, s});
        if (lanes > 1 && c < columns)
            part(Part{columns - c, c, s});
    }
    /// The rows that make no block, and what is left of a folded one: f(row, lanes of it).
    template <class F> FS_INLINE void each_rest(std::size_t i, const Part &p, const F &f) const {
        for (; i < n; ++i)
            f(i, p.count);
        if (p.column < more)
            f(n, more - p.column < p.count ? more - p.column : p.count);
    }
};

} // namespace fastsoftmax
