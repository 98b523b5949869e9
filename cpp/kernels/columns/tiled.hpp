// Softmax along an axis whose neighbours are far apart in memory: each lane is a column.
//
// Passes over a tile of columns: maximum, read with a copy into scratch space (so that x is read
// once, and rows that lie a power of two apart don't evict each other from the cache); weights with
// their sum, in the scratch space; result, written once. Nothing is transposed and nothing reduced
// across lanes: m and s are vectors. The first pass takes four vectors side by side, whole cache
// lines, the others one after another.
//
// Sums: as in rows/passes.hpp, eight weights by a tree, then with the rounding kept aside. Where a
// lane's maximum is extreme (`limit` in exp.hpp), both kinds of weight are computed, and each lane
// takes its own. Error and edges are those of the operations on rows.
#pragma once
#include "common/weights/unit.hpp"
#include "kernels/arguments.hpp"
#include "kernels/columns/scratch.hpp"
#include "kernels/rows/passes.hpp"
#include <type_traits>

namespace fastsoftmax {

// Columns of memory in scratch space, a vector of them at a time.

/// A vector of columns in scratch space: up to V::lanes of them, or exactly so many.
template <class V, Lanes Used> struct ColumnTile {
    using T = typename V::scalar;
    T *z;
    std::ptrdiff_t step;
    std::size_t n, count;

    FS_INLINE V from(const T *p) const {
        return Used == Lanes::all ? V::load(p) : V::load_n(p, count, 0);
    }
    FS_INLINE void to(T *p, V v) const {
        if constexpr (Used == Lanes::all)
            v.store(p);
        else
            v.store_n(p, count);
    }
    FS_INLINE V load(std::size_t i) const {
        return from(z + static_cast<std::ptrdiff_t>(i) * step);
    }
    FS_INLINE void store(std::size_t i, V v) const {
        to(z + static_cast<std::ptrdiff_t>(i) * step, v);
    }
};

/// f(m, s, u) for each lane; s and u are the sum and the weight of the maximum that it is relative
/// to.
template <class V> struct ColumnState {
    using T = typename V::scalar;
    T m[V::lanes], total[V::lanes], lost[V::lanes], unit[V::lanes];

    template <class F> FS_INLINE V lanes(const F &f) const {
        T result[V::lanes];
        for (int i = 0; i < V::lanes; ++i)
            result[i] = f(m[i], static_cast<double>(total[i]) + lost[i], unit[i]);
        return V::load(result);
    }
};

/// The first pass: copies columns into scratch space, vector v of them to `tiles[v]`, and takes
/// their maxima, NaN passed over. Common to all variants and operations.
template <class V, int Vectors, Lanes Used>
__attribute__((noinline)) void copy_columns(const ColumnsArguments<typename V::scalar> &a,
                                            std::size_t first, const ColumnTile<V, Used> *tiles,
                                            V *m) {
    constexpr std::size_t lanes = V::lanes;
    const auto *x = a.x + first;
    const std::ptrdiff_t x_step = a.x_step;
    V highest[Vectors];
    for (int v = 0; v < Vectors; ++v)
        highest[v] = V::set(lowest_value<V>());
    for (std::size_t i = 0, n = a.n; i < n; ++i, x += x_step)
        for (int v = 0; v < Vectors; ++v) {
            const V value = tiles[v].from(x + v * lanes);
            tiles[v].store(i, value);
            highest[v] = V::max(value, highest[v]);
        }
    for (int v = 0; v < Vectors; ++v)
        m[v] = highest[v];
}

/// The last pass: y = f(v, what tile v holds), for vectors side by side.
template <int Vectors, class V, Lanes Used, class F>
FS_INLINE void write_columns(const ColumnsArguments<typename V::scalar> &a, std::size_t first,
                             const ColumnTile<V, Used> *tiles, const F &f) {
    auto *y = a.y + first;
    for (std::size_t i = 0; i < a.n; ++i, y += a.y_step)
        for (int v = 0; v < Vectors; ++v)
            tiles[v].to(y + v * V::lanes, f(v, tiles[v].load(i)));
}

template <class Variant, class V> class Columns {
    using T = typename V::scalar;
    using Plain = typename Variant::template Weight<V, Shift::none>;
    using Shifted = typename Variant::template Weight<V, Shift::by_maximum>;
    static constexpr std::size_t lanes = V::lanes;

  public:
    /// Calls f(tiles, states, number of the first column) for vectors of columns, one or four as
    /// its first argument says; the tiles hold the weights if these are stored, else the logits.
    template <Storing Stored, class F>
    static FS_INLINE void each(const ColumnsArguments<T> &a, const F &f) {
        std::size_t c = 0;
        const bool four = a.z == a.x || a.z_step >= static_cast<std::ptrdiff_t>(4 * lanes);
        for (; four && c + 4 * lanes <= a.columns; c += 4 * lanes)
            side_by_side<4, Stored, Lanes::all>(a, c, lanes, f);
        for (; c + lanes <= a.columns; c += lanes)
            side_by_side<1, Stored, Lanes::all>(a, c, lanes, f);
        if (c < a.columns)
            side_by_side<1, Stored, Lanes::counted>(a, c, a.columns - c, f);
    }

  private:
    template <int Vectors, Storing Stored, Lanes Used, class F>
    static FS_INLINE void side_by_side(const ColumnsArguments<T> &a, std::size_t first,
                                       std::size_t count, const F &f) {
        ColumnTile<V, Used> tiles[Vectors];
        for (int v = 0; v < Vectors; ++v)
            if (a.z == a.x) // in place
                tiles[v] = {a.z + first + v * lanes, a.z_step, a.n, count};
            else // each vector's column side by side, and the space used again
                tiles[v] = {a.z + v * lanes * a.n, static_cast<std::ptrdiff_t>(lanes), a.n, count};
        V m[Vectors];
        copy_columns<V, Vectors, Used>(a, first, tiles, m);
        ColumnState<V> states[Vectors];
        for (int v = 0; v < Vectors; ++v) {
            m[v].store(states[v].m);
            if (__builtin_expect(V::reduce_max(V::abs(m[v])) < Plain::limit(), 1))
                usual<Stored, Used>(tiles[v], m[v], states[v]);
            else
                mixed<Stored, Used>(tiles[v], m[v], states[v]);
        }
        f(std::integral_constant<int, Vectors>(), tiles, states, first);
    }

    template <Storing Stored, Lanes Used>
    __attribute__((noinline)) static void usual(const ColumnTile<V, Used> &tile, V m,
                                                ColumnState<V> &state) {
        const Plain plain(m);
        UnitWeight<Plain, V>::at(m).store(state.unit);
        CompensatedLanes<V> sums;
        std::size_t i = 0;
        for (; i + 8 <= tile.n; i += 8)
            sums.add(
                tree_sum<8, V>([&](std::size_t j) { return take<Stored>(tile, plain, i + j); }));
        for (; i < tile.n; ++i)
            sums.add(take<Stored>(tile, plain, i));
        sums.total.store(state.total);
        sums.lost.store(state.lost);
    }

    /// Some lane has an extreme or infinite maximum. Rare: small, rather than fast.
    template <Storing Stored, Lanes Used>
    __attribute__((noinline, cold)) static void mixed(const ColumnTile<V, Used> &tile, V m,
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
                eight[j] = take<Stored>(tile, weight, i + j);
            sums.add(tree_sum<8, V>([&](std::size_t j) { return eight[j]; }));
        }
        for (; i < tile.n; ++i)
            sums.add(take<Stored>(tile, weight, i));
        sums.total.store(state.total);
        sums.lost.store(state.lost);
    }

    template <Storing Stored, Lanes Used, class Weight>
    static FS_INLINE V take(const ColumnTile<V, Used> &tile, const Weight &weight, std::size_t i) {
        const V w = weight(tile.load(i));
        if constexpr (Stored == Storing::weights)
            tile.store(i, w);
        return w;
    }
};

} // namespace fastsoftmax
