// Softmax of rows: y = w(x - m) / sum w(x - m), m the maximum of the row.
//
// Passes over a row: maximum (read), weights and their sum (read, write), scale (read, write).
// Taking m first, rather than a running maximum, makes the weights of a row comparable, so that a
// surrogate needs no rescale. What differs by length is only what runs at the same time: rows of up
// to 192 elements are reduced together (rows/short.hpp), longer ones fetch ahead
// (rows/streamed.hpp). For `exact` alone, as each class takes space in the library: up to 2048 a
// row's weights are taken along with its neighbours' other passes (rows/pipelined.hpp), and long
// rows are read once, by blocks (rows/long.hpp).
//
// Error: exact, float32, relative error of each probability <= 5e-7 for x - m > -20, absolute <=
// 3e-7 anywhere; float64 <= 4e-15. Surrogates: |h - e^d| as the table says; if |h / e^d - 1| <= eps
// over the row, the total variation is at most eps / (1 - eps).
//
// Edges: a row of -inf only, or with a NaN or +inf, is all NaN. The sum finds a NaN, since weights
// keep it; the scale then spreads it over the row. Paper: arXiv 1805.02867.
#pragma once
#include "common/claims.hpp"
#include "common/weights/variants.hpp"
#include "kernels/arguments.hpp"
#include "kernels/columns/blocked.hpp"
#include "kernels/columns/tiled.hpp"
#include "kernels/rows/long.hpp"
#include "kernels/rows/passes.hpp"
#include "kernels/rows/pipelined.hpp"
#include "kernels/rows/short.hpp"
#include "kernels/rows/streamed.hpp"

namespace fastsoftmax {

template <class Variant, class V> struct Online {
    using T = typename V::scalar;
    using Arguments = OnlineArguments<T>;
    static constexpr Claim exact_claim = claims::probability;

    static void run(const Arguments &a) {
        if constexpr (FoldsRows<V>) {
            if (a.n <= short_row && a.n > 0)
                return short_rows<1>(a);
            if constexpr (std::same_as<Variant, variant::exact>) {
                if (a.n > short_row && a.n <= pipelined && a.rows > 1)
                    return PipelinedRows<Variant, V>::run(a, weigh_row);
            }
        }
        if constexpr (std::same_as<Variant, variant::exact>) {
            if (is_long_row<T>(a.n))
                return long_rows(a);
        }
        if constexpr (V::lanes > 1) {
            if (a.n > (std::same_as<Variant, variant::exact> ? pipelined : short_row))
                return StreamedRows<Variant, V>::run(a, weigh_row_ahead);
        }
        const std::size_t group = a.n <= short_row ? group_rows : 1;
        for (std::size_t r = 0; r < a.rows; r += group)
            rows_in_phases(a, static_cast<std::ptrdiff_t>(r),
                           a.rows - r < group ? a.rows - r : group);
    }
    static void columns(const ColumnsArguments<T> &a) {
        if constexpr (std::same_as<Variant, variant::exact>) {
            if (BlockedColumns<V>::takes(a))
                return BlockedColumns<V>::run(a, whole_columns);
        }
        whole_columns(a);
    }
    static void long_step(const LongRowArguments<T> &a)
        requires std::same_as<Variant, variant::exact>
    {
        LongRows<V>::step(a);
    }

  private:
    __attribute__((noinline)) static void whole_columns(const ColumnsArguments<T> &a) {
        Columns<Variant, V>::template each<Storing::weights>(
            a, [&a](auto vectors, const auto *tiles, const auto *states, std::size_t first) {
                V factor[vectors];
                for (int v = 0; v < vectors; ++v)
                    factor[v] =
                        states[v].lanes([](T, double s, T) { return static_cast<T>(1 / s); });
                write_columns<vectors>(a, first, tiles,
                                       [&](int v, V weight) { return weight * factor[v]; });
            });
    }
    /// Exact has a class for each number of vectors up to 128 elements, with and without a tail;
    /// the other variants share one class, which keeps the library small.
    template <int Vectors> static void short_rows(const Arguments &a) {
        constexpr std::size_t lanes = V::lanes;
        if constexpr (!std::same_as<Variant, variant::exact> || Vectors * lanes > 128) {
            fold_rows<any_vectors, LastVector::partial>(a);
        } else {
            if (a.n > Vectors * lanes)
                return short_rows<Vectors + 1>(a);
            if (a.n % lanes)
                return fold_rows<Vectors, LastVector::partial>(a);
            fold_rows<Vectors, LastVector::whole>(a);
        }
    }
    template <int Vectors, LastVector Last> static FS_INLINE void fold_rows(const Arguments &a) {
        using Rows = ShortRows<Variant, V, Vectors, Last>;
        for (std::size_t r = 0; r < a.rows; r += Rows::group)
            Rows::run(a, r, [&](std::size_t row) {
                rows_in_phases(a, static_cast<std::ptrdiff_t>(row), 1);
            });
    }

    // Not inlined: its scratch space would grow the stack frame of every call
    __attribute__((noinline)) static void long_rows(const Arguments &a) {
        LongRows<V>::run(
            a, [&](std::size_t row) { rows_in_phases(a, static_cast<std::ptrdiff_t>(row), 1); });
    }

    // Where V can't fold, short rows still go by groups through each pass: one row's reductions and
    // division are a chain of some 60 cycles, which only other rows can hide, and which long rows
    // don't feel.
    static constexpr std::size_t group_rows = 16;
    static constexpr std::size_t short_row = FoldsRows<V> ? 192 : 512, pipelined = 2048;

    static FS_INLINE void rows_in_phases(const Arguments &a, std::ptrdiff_t first,
                                         std::size_t rows) {
        T m[group_rows], factor[group_rows];
        const T *x = a.x + first * a.x_stride;
        T *y = a.y + first * a.y_stride;
        const auto at = [](std::size_t r, std::ptrdiff_t stride) {
            return static_cast<std::ptrdiff_t>(r) * stride;
        };
        for (std::size_t r = 0; r < rows; ++r)
            m[r] = row_max<V>(x + at(r, a.x_stride), a.n);
        for (std::size_t r = 0; r < rows; ++r)
            factor[r] = weigh_row(x + at(r, a.x_stride), y + at(r, a.y_stride), a.n, m[r]);
        for (std::size_t r = 0; r < rows; ++r)
            scale_row<V>(y + at(r, a.y_stride), a.n, factor[r]);
    }

    // Not inlined, since called from several places
    /// Writes the weights of a row and returns what to scale them by.
    __attribute__((noinline)) static T weigh_row(const T *x, T *y, std::size_t n, T m) {
        if (__builtin_expect(m - m != 0, 0))
            return static_cast<T>(__builtin_nan(""));
        return static_cast<T>(1 / with_weight<Variant, V>(m, [&](const auto &weight) {
                                  return weigh<Storing::weights, V>(weight, x, y, n);
                              }));
    }
    /// The same, and fetches ahead.
    __attribute__((noinline)) static T weigh_row_ahead(const T *x, T *y, std::size_t n, T m,
                                                       Prefetch<V> prefetch) {
        using Weight = typename Variant::template Weight<V, Shift::none>;
        if (__builtin_expect(m < Weight::limit() && m > -Weight::limit(), 1))
            return static_cast<T>(1 / weigh<Storing::weights, V>(Weight(m), x, y, n, prefetch));
        return weigh_row(x, y, n, m);
    }
};

} // namespace fastsoftmax
