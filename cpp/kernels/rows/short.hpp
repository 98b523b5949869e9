// Softmax of short rows, as many at a time as a vector has lanes.
//
// A row of one to a few vectors spends its time in the two horizontal reductions and the division,
// not in its weights. So the rows of a batch are reduced together: their vectors are folded into
// one whose lane i belongs to row i, and everything that depends on the maximum or the sum is
// computed once for the batch. Batches go through each phase (maxima, weights, scale) by groups, so
// that one batch's latencies hide behind the next.
//
// V must have fold(). A row with an extreme or a non-finite maximum is left to the caller; no row's
// bits depend on its neighbours, or on its place among them.
#pragma once
#include "kernels/arguments.hpp"
#include "kernels/rows/row_group.hpp"

namespace fastsoftmax {

/// Rows of `Vectors` vectors (0: as many as n takes), the last of them partly filled if Tail.
template <class Variant, class V, int Vectors, bool Tail> class ShortRows {
    using T = typename V::scalar;
    using Rows = RowGroup<Variant, V, Vectors, Tail>;
    static constexpr std::size_t lanes = V::lanes;

  public:
    static constexpr std::size_t group = Rows::most; ///< rows that one call takes at most
    static constexpr std::size_t longest = Rows::longest;

    /// Rows r .. r + group of the arguments, or fewer at the end. f does a row that is left.
    template <class F>
    static FS_INLINE void run(const OnlineArguments<T> &a, std::size_t r, const F &f) {
        const Rows rows(a.x, a.x_stride, r, a.rows, a.n);
        alignas(64) T scratch[Tail ? group * longest : 1];
        T *const y = a.y + static_cast<std::ptrdiff_t>(r) * a.y_stride;
        const auto y_row = [&](std::size_t i) {
            return y + static_cast<std::ptrdiff_t>(i) * a.y_stride;
        };
        // a masked store would not forward to the load that follows it
        const auto w_row = [&](std::size_t i) {
            return Tail ? scratch + i * rows.vectors * lanes : y_row(i);
        };
        const std::ptrdiff_t ahead = rows.last() ? 0 : group * a.y_stride;
        typename Rows::Results results;
        rows.take_maxima(results);
        rows.weigh(results, [&](std::size_t i) {
            T *const w = w_row(i);
            const T *const next = y_row(i) + ahead;
            return [=](V weight, std::size_t j) {
                if constexpr (Rows::fetches_y)
                    __builtin_prefetch(next + j * lanes, 1, 3);
                weight.store(w + j * lanes);
            };
        });
        alignas(64) T factor[group];
        for (std::size_t i = 0; i < rows.count; i += lanes)
            V::reciprocal(V::load(results.sum + i)).store(factor + i);
        for (std::size_t i = 0; i < rows.count; ++i) {
            if (__builtin_expect(Rows::ordinary(results.maximum[i]), 1))
                scale(w_row(i), y_row(i), rows, V::set(factor[i]));
            else
                f(r + i);
        }
    }

  private:
    static FS_INLINE void scale(const T *w, T *y, const Rows &rows, V factor) {
        for (std::size_t j = 0; j < rows.vectors; ++j) {
            const V p = V::load(w + j * lanes) * factor;
            if (Tail && j + 1 == rows.vectors)
                p.store_n(y + j * lanes, rows.tail);
            else
                p.store(y + j * lanes);
        }
    }
};

} // namespace fastsoftmax
