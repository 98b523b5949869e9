// Softmax along an axis whose neighbours are far apart in memory: each lane is a column.
//
// Passes over a tile of columns: maximum, read with a copy into scratch space (so that x is read
// once, and rows that lie a power of two apart don't evict each other from the cache); weights with
// their sum, in the scratch space; result, written once. Nothing is transposed and nothing reduced
// across lanes: m and s are vectors. The first pass takes four vectors side by side, whole cache
// lines, the others one after another.
//
// Sums: as in row_passes.hpp, eight weights by a tree, then with the rounding kept aside. Where a
// lane's maximum is extreme (`limit` in exp.hpp), both kinds of weight are computed, and each lane
// takes its own. Error and edges are those of the operations on rows.
#pragma once
#include "kernels/arguments.hpp"
#include "kernels/column_tile.hpp"
#include "kernels/row_passes.hpp"
#include "kernels/unit_weight.hpp"

namespace fastsoftmax {

template <class Variant, class V> class Columns {
    using T = typename V::scalar;
    using Plain = typename Variant::template Weight<V, false>;
    using Shifted = typename Variant::template Weight<V, true>;
    static constexpr std::size_t lanes = V::lanes;

  public:
    /// Calls f(tile, number of its first column, state) for each vector of columns; the tile holds
    /// the weights if Store, else the logits.
    template <bool Store, class F> static void each(const ColumnsArguments<T> &a, const F &f) {
        std::size_t c = 0;
        for (; c + lanes <= a.columns;) {
            const bool four = c + 4 * lanes <= a.columns;
            ColumnTile<V, true> tile{a.z + c, a.z_step, a.n, lanes};
            V m[4];
            if (four)
                copy_columns<V, 4, true>(a, c, tile, m);
            else
                copy_columns<V, 1, true>(a, c, tile, m);
            for (int v = 0; v < (four ? 4 : 1); ++v, c += lanes, tile.z += lanes)
                one<Store, true>(tile, c, m[v], f);
        }
        if (c < a.columns) {
            const ColumnTile<V, false> tile{a.z + c, a.z_step, a.n, a.columns - c};
            V m;
            copy_columns<V, 1, false>(a, c, tile, &m);
            one<Store, false>(tile, c, m, f);
        }
    }

  private:
    template <bool Store, bool Full, class F>
    static FS_INLINE void one(const ColumnTile<V, Full> &tile, std::size_t first, V m, const F &f) {
        ColumnState<V> state;
        m.store(state.m);
        if (__builtin_expect(V::reduce_max(V::abs(m)) < Plain::limit(), 1))
            usual<Store, Full>(tile, m, state);
        else
            mixed<Store, Full>(tile, m, state);
        f(tile, first, state);
    }

    template <bool Store, bool Full>
    __attribute__((noinline)) static void usual(const ColumnTile<V, Full> &tile, V m,
                                                ColumnState<V> &state) {
        const Plain plain(m);
        UnitWeight<Plain, V>::at(m).store(state.unit);
        CompensatedLanes<V> sums;
        std::size_t i = 0;
        for (; i + 8 <= tile.n; i += 8)
            sums.add(
                tree_sum<8, V>([&](std::size_t j) { return take<Store>(tile, plain, i + j); }));
        for (; i < tile.n; ++i)
            sums.add(take<Store>(tile, plain, i));
        sums.total.store(state.total);
        sums.lost.store(state.lost);
    }

    /// Some lane has an extreme or infinite maximum.
    template <bool Store, bool Full>
    __attribute__((noinline)) static void mixed(const ColumnTile<V, Full> &tile, V m,
                                                ColumnState<V> &state) {
        const Plain plain(m);
        const Shifted shifted(m);
        const V size = V::abs(m), limit = V::set(Plain::limit());
        const V below = V::set(Plain::limit() * (1 - (sizeof(T) == 4 ? 0x1p-24 : 0x1p-53)));
        const auto choose = [&](V p, V s) {
            return V::zero_where_le(p, V::set(0.0) - size, V::set(0.0) - limit) +
                   V::zero_where_le(s, size, below);
        };
        choose(UnitWeight<Plain, V>::at(m), UnitWeight<Shifted, V>::at(m)).store(state.unit);
        const auto weight = [&](V x) { return choose(plain(x), shifted(x)); };
        CompensatedLanes<V> sums; // in the order of usual(): other lanes must not notice
        std::size_t i = 0;
        for (; i + 8 <= tile.n; i += 8) {
            V eight[8];
#pragma GCC unroll 1
            for (std::size_t j = 0; j < 8; ++j)
                eight[j] = take<Store>(tile, weight, i + j);
            sums.add(tree_sum<8, V>([&](std::size_t j) { return eight[j]; }));
        }
        for (; i < tile.n; ++i)
            sums.add(take<Store>(tile, weight, i));
        sums.total.store(state.total);
        sums.lost.store(state.lost);
    }

    template <bool Store, bool Full, class Weight>
    static FS_INLINE V take(const ColumnTile<V, Full> &tile, const Weight &weight, std::size_t i) {
        const V w = weight(tile.load(i));
        if constexpr (Store)
            tile.store(i, w);
        return w;
    }
};

} // namespace fastsoftmax
