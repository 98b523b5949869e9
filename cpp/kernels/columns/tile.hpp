// Columns of memory in scratch space, a vector of them at a time: what columns.hpp works on.
#pragma once
#include "kernels/arguments.hpp"
#include "kernels/rows/passes.hpp"

namespace fastsoftmax {

/// A vector of columns in scratch space: up to V::lanes of them, or exactly so many if Full.
template <class V, bool Full> struct ColumnTile {
    using T = typename V::scalar;
    T *z;
    std::ptrdiff_t step;
    std::size_t n, count;

    FS_INLINE V from(const T *p) const { return Full ? V::load(p) : V::load_n(p, count, 0); }
    FS_INLINE void to(T *p, V v) const {
        if constexpr (Full)
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
template <class V, int Vectors, bool Full>
__attribute__((noinline)) void copy_columns(const ColumnsArguments<typename V::scalar> &a,
                                            std::size_t first, const ColumnTile<V, Full> *tiles,
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
template <int Vectors, class V, bool Full, class F>
FS_INLINE void write_columns(const ColumnsArguments<typename V::scalar> &a, std::size_t first,
                             const ColumnTile<V, Full> *tiles, const F &f) {
    auto *y = a.y + first;
    for (std::size_t i = 0; i < a.n; ++i, y += a.y_step)
        for (int v = 0; v < Vectors; ++v)
            tiles[v].to(y + v * V::lanes, f(v, tiles[v].load(i)));
}

} // namespace fastsoftmax
