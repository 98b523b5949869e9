// Softmax of short rows, as many at a time as a vector has lanes.
//
// A row of one to a few vectors spends its time in the two horizontal reductions and the division,
// not in its weights. So the rows of a batch are reduced together: their vectors are folded into
// one whose lane i belongs to row i, and everything that depends on the maximum or the sum is
// computed once for the batch. Batches go through each phase (maxima, weights, scale) by groups, so
// that one batch's latencies hide behind the next.
//
// Weights wait in a scratch block whose rows are padded to whole vectors: a masked store would not
// forward to the load that follows it.
// V must have fold(). A row with an extreme or a non-finite maximum is left to the caller; no row's
// bits depend on its neighbours, or on its place among them.
#pragma once
#include "common/variants.hpp"
#include "kernels/arguments.hpp"
#include "kernels/row_passes.hpp"
#include "vec/concept.hpp"

namespace fastsoftmax {

/// Rows of `Vectors` vectors (0: as many as n takes), the last of them partly filled if Tail.
template <class Variant, class V, int Vectors, bool Tail> class ShortRows {
    using T = typename V::scalar;
    using Weight = typename Variant::template Weight<V, false>;
    static constexpr std::size_t lanes = V::lanes;
    static constexpr std::size_t batches = Vectors > 0 && Vectors <= 4 ? 4 : 2;
    static constexpr std::size_t most_vectors = Vectors > 0 ? Vectors : 256 / lanes;

  public:
    static constexpr std::size_t group = batches * lanes; ///< rows that one call takes at most
    static constexpr std::size_t longest = most_vectors * lanes;

    /// Rows r .. r + group of the arguments, or fewer at the end. f does a row of a batch that is
    /// left.
    template <class F>
    static FS_INLINE void run(const OnlineArguments<T> &a, std::size_t r, const F &f) {
        const std::size_t rows = a.rows - r < group ? a.rows - r : group;
        const std::size_t vectors = Vectors > 0 ? Vectors : (a.n + lanes - 1) / lanes;
        const std::size_t tail = a.n - (vectors - 1) * lanes;
        alignas(64) T scratch[group * most_vectors * lanes];
        typename Weight::Prepared prepared[batches];
        alignas(64) T maximum[batches][lanes], factor[batches][lanes];
        const auto x = [&](std::size_t i) {
            return a.x + static_cast<std::ptrdiff_t>(r + (i < rows ? i : rows - 1)) * a.x_stride;
        };
        const auto load = [&](const T *p, std::size_t j) {
            return Tail && j + 1 == vectors ? V::load_n(p + j * lanes, tail, lowest_value<V>())
                                            : V::load(p + j * lanes);
        };
        const std::size_t used = (rows + lanes - 1) / lanes;
        for (std::size_t b = 0; b < used; ++b) {
            V v[lanes];
            for (std::size_t i = 0; i < lanes; ++i) {
                const T *p = x(b * lanes + i);
                v[i] = V::max(load(p, 0), V::set(lowest_value<V>())); // passes over NaN
                for (std::size_t j = 1; j < vectors; ++j)
                    v[i] = V::max(load(p, j), v[i]);
            }
            const V m = V::fold(v, [](V p, V q) { return V::max(p, q); });
            m.store(maximum[b]);
            Weight(m).prepare(prepared[b]);
        }
        for (std::size_t b = 0; b < used; ++b) {
            V v[lanes];
            for (std::size_t i = 0; i < lanes; ++i) {
                const Weight weight(prepared[b], static_cast<int>(i));
                const T *p = x(b * lanes + i);
                T *w = scratch + (b * lanes + i) * vectors * lanes;
                v[i] = sum(vectors, [&](std::size_t j) {
                    const V value = weight(load(p, j));
                    value.store(w + j * lanes);
                    return value;
                });
            }
            V::reciprocal(V::fold(v, [](V p, V q) { return p + q; })).store(factor[b]);
        }
        for (std::size_t i = 0; i < rows; ++i) {
            const T m = maximum[i / lanes][i % lanes];
            if (__builtin_expect(!(m < Weight::limit() && m > -Weight::limit()), 0)) {
                f(r + i);
                continue;
            }
            const V k = V::set(factor[i / lanes][i % lanes]);
            const T *w = scratch + i * vectors * lanes;
            T *y = a.y + static_cast<std::ptrdiff_t>(r + i) * a.y_stride;
            for (std::size_t j = 0; j < vectors; ++j) {
                const V p = V::load(w + j * lanes) * k;
                if (Tail && j + 1 == vectors)
                    p.store_n(y + j * lanes, tail);
                else
                    p.store(y + j * lanes);
            }
        }
    }

  private:
    /// The weights of a row, lane by lane. Exact: few by a tree, more as in row_passes.hpp. The
    /// other variants' errors are larger than what two plain sums round off.
    template <class F> static FS_INLINE V sum(std::size_t vectors, const F &take) {
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

} // namespace fastsoftmax
