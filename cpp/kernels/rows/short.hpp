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
#include "common/weights/variants.hpp"
#include "kernels/arguments.hpp"
#include "kernels/rows/passes.hpp"
#include "kernels/rows/prefetch.hpp"
#include "vec/concept.hpp"

namespace fastsoftmax {

// A group of short rows, reduced together: lane i of a batch's maxima and sums belongs to row i.
//
// Their vectors are folded (V::fold), as many as there are lanes into one. A group is four batches
// of up to four vectors a row, since the more batches the better their latencies overlap, else one,
// so that a group and the next, which is fetched meanwhile, stay in L1. Fetching rows of up to four
// vectors costs more than it gains, but for results that come whole.

/// Whether a row fills its last vector.
enum class LastVector { whole, partial };

/// In place of a number of vectors: as many as the row takes.
inline constexpr int any_vectors = 0;

/// Rows of `Vectors` vectors.
template <class Variant, class V, int Vectors, LastVector Last> class RowGroup {
    using T = typename V::scalar;
    using Weight = typename Variant::template Weight<V, Shift::none>;
    static constexpr std::size_t lanes = V::lanes;
    static constexpr std::size_t most_vectors = Vectors > 0 ? Vectors : 192 / lanes;
    static constexpr std::size_t batches = Vectors > 0 && Vectors <= 4 ? 4 : 1;

    const T *x_;
    std::ptrdiff_t stride_, ahead_;

  public:
    /// Of each row. Apart from the group: a store of a vector might alias its members else, and
    /// they would be loaded again for each row.
    struct Results {
        typename Weight::Prepared prepared[batches];
        alignas(64) T maximum[batches * lanes];
        alignas(64) T sum[batches * lanes];
    };
    static constexpr std::size_t most = batches * lanes; ///< rows
    static constexpr bool fetches_x = Vectors == 0 || Vectors > 4;
    static constexpr bool fetches_y = fetches_x || (Last == LastVector::whole && Vectors <= 2);
    static constexpr std::size_t longest = most_vectors * lanes; ///< elements of a row
    const std::size_t count, vectors, tail;

    FS_INLINE RowGroup(const T *x, std::ptrdiff_t stride, std::size_t first, std::size_t rows,
                       std::size_t n)
        : x_(x + static_cast<std::ptrdiff_t>(first) * stride), stride_(stride),
          ahead_(rows - first > most ? static_cast<std::ptrdiff_t>(most) * stride : 0),
          count(rows - first < most ? rows - first : most),
          vectors(Vectors > 0 ? Vectors : (n + lanes - 1) / lanes),
          tail(n - (vectors - 1) * lanes) {}

    /// Whether no rows come after these.
    FS_INLINE bool last() const { return ahead_ == 0; }
    static FS_INLINE bool ordinary(T m) { return m < Weight::limit() && m > -Weight::limit(); }

    FS_INLINE void take_maxima(Results &results) const {
        for (std::size_t b = 0; b < count; b += lanes) {
            V v[lanes];
            for (std::size_t i = 0; i < lanes; ++i) {
                const T *x = row(b + i);
                v[i] = V::max(load(x, 0), V::set(lowest_value<V>())); // passes over NaN
                for (std::size_t j = 1; j < vectors; ++j)
                    v[i] = V::max(load(x, j), v[i]);
            }
            const V m = V::fold(v, [](V p, V q) { return V::max(p, q); });
            m.store(results.maximum + b);
            Weight(m).prepare(results.prepared[b / lanes]);
        }
    }
    /// store(i)(w, j) takes vector j of the weights of row i.
    template <class F> FS_INLINE void weigh(Results &results, const F &store) const {
        for (std::size_t b = 0; b < count; b += lanes) {
            V v[lanes];
            for (std::size_t i = 0; i < lanes; ++i) {
                // the weights of whole vectors may replace the row, which the caller still needs
                if (Last == LastVector::whole &&
                    (b + i >= count || !ordinary(results.maximum[b + i]))) {
                    v[i] = V::set(1.0);
                    continue;
                }
                const Weight weight(results.prepared[b / lanes], static_cast<int>(i));
                const T *x = row(b + i);
                const auto take = store(b + i);
                v[i] = sum([&](std::size_t j) {
                    if constexpr (fetches_x)
                        __builtin_prefetch(x + ahead_ + j * lanes, 0, 3);
                    const V w = weight(load(x, j));
                    take(w, j);
                    return w;
                });
            }
            V::fold(v, [](V p, V q) { return p + q; }).store(results.sum + b);
        }
    }

  private:
    FS_INLINE const T *row(std::size_t i) const {
        return x_ + static_cast<std::ptrdiff_t>(i < count ? i : count - 1) * stride_;
    }
    FS_INLINE V load(const T *x, std::size_t j) const {
        return Last == LastVector::partial && j + 1 == vectors
                   ? V::load_n(x + j * lanes, tail, lowest_value<V>())
                   : V::load(x + j * lanes);
    }

    /// The weights of a row, lane by lane. Exact: few by a tree, more as in passes.hpp. The
    /// other variants' errors are larger than what two plain sums round off.
    template <class F> FS_INLINE V sum(const F &take) const {
        if constexpr (Vectors > 0) {
            return tree_sum<Vectors, V>(take);
        } else if constexpr (std::same_as<Variant, variant::exact>) {
            CompensatedLanes<V> sums;
            std::size_t j = 0;
            for (; j + 8 <= vectors; j += 8)
                sums.add(tree_sum<8, V>(take, j));
            for (; j + 2 <= vectors; j += 2)
                sums.add(tree_sum<2, V>(take, j));
            if (j < vectors)
                sums.add(take(j));
            return sums.total + sums.lost;
        } else {
            V even = V::set(0.0), odd = even;
            for (std::size_t j = 0; j < vectors; ++j)
                (j % 2 ? odd : even) = (j % 2 ? odd : even) + take(j);
            return even + odd;
        }
    }
};

/// Softmax of rows of `Vectors` vectors.
template <class Variant, class V, int Vectors, LastVector Last> class ShortRows {
    using T = typename V::scalar;
    using Rows = RowGroup<Variant, V, Vectors, Last>;
    static constexpr std::size_t lanes = V::lanes;

  public:
    static constexpr std::size_t group = Rows::most; ///< rows that one call takes at most
    static constexpr std::size_t longest = Rows::longest;

    /// Rows r .. r + group of the arguments, or fewer at the end. f does a row that is left.
    template <class F>
    static FS_INLINE void run(const OnlineArguments<T> &a, std::size_t r, const F &f) {
        const Rows rows(a.x, a.x_stride, r, a.rows, a.n);
        alignas(64) T scratch[Last == LastVector::partial ? group * longest : 1];
        T *const y = a.y + static_cast<std::ptrdiff_t>(r) * a.y_stride;
        const auto y_row = [&](std::size_t i) {
            return y + static_cast<std::ptrdiff_t>(i) * a.y_stride;
        };
        // a masked store would not forward to the load that follows it
        const auto w_row = [&](std::size_t i) {
            return Last == LastVector::partial ? scratch + i * rows.vectors * lanes : y_row(i);
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
            if (Last == LastVector::partial && j + 1 == rows.vectors)
                p.store_n(y + j * lanes, rows.tail);
            else
                p.store(y + j * lanes);
        }
    }
};

} // namespace fastsoftmax
