// Columns of memory in scratch space, a vector of them at a time: what columns.hpp works on.
#pragma once
#include "kernels/arguments.hpp"
#include "kernels/row_passes.hpp"

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
    FS_INLINE void write(T *y, std::ptrdiff_t y_step, std::size_t i, V v) const {
        to(y + static_cast<std::ptrdiff_t>(i) * y_step, v);
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

/// The first pass: copies columns into the scratch space and takes their maxima, NaN passed over.
/// Common to all variants; not inlined, nor are the sums: three operations share them.
template <class V, int Vectors, bool Full>
__attribute__((noinline)) void copy_columns(const ColumnsArguments<typename V::scalar> &a,
                                            std::size_t first, const ColumnTile<V, Full> &tile,
                                            V *m) {
    constexpr std::size_t lanes = V::lanes;
    const auto *x = a.x + first;
    auto *z = tile.z;
    for (int v = 0; v < Vectors; ++v)
        m[v] = V::set(lowest_value<V>());
    for (std::size_t i = 0; i < a.n; ++i, x += a.x_step, z += a.z_step)
        for (int v = 0; v < Vectors; ++v) {
            const V value = tile.from(x + v * lanes);
            tile.to(z + v * lanes, value);
            m[v] = V::max(value, m[v]);
        }
}

} // namespace fastsoftmax
