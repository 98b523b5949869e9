// The state (m, s) of rows: m = max x, s = sum w(x - m). log-sum-exp is m + log s.
//
// One pass for m, one for s; nothing is written but the state. The exp variants weigh x relative to
// a power of two near e^m, so s is divided by the weight of m itself, taken by the exact variant:
// the reduction error they share cancels.
//
// Error of s, exact: relative 5e-7 (float32), 4e-15 (float64).
// Edges: no element, or -inf only: (-inf, 0). Any NaN: (NaN, NaN). +inf: (+inf, NaN), since
// inf - inf has no value.
#pragma once
#include "common/monoid.hpp"
#include "kernels/arguments.hpp"
#include "kernels/columns.hpp"
#include "kernels/row_passes.hpp"
#include "kernels/unit_weight.hpp"
#include <type_traits>

namespace fastsoftmax {

template <class Variant, class V> struct Normalizer {
    using T = typename V::scalar;
    using Arguments = NormalizerArguments<T>;
    static constexpr double exact_bound = sizeof(T) == 4 ? 5e-7 : 4e-15;
    static constexpr const char *exact_bound_kind = "relative, s";

    static void run(const Arguments &a) {
        for (std::size_t r = 0; r < a.rows; ++r) {
            const MaxSum<T> state = row(a.x + static_cast<std::ptrdiff_t>(r) * a.x_stride, a.n);
            a.m[r] = state.m;
            a.s[r] = state.s;
        }
    }
    static void columns(const ColumnsArguments<T> &a) {
        Columns<Variant, V>::template each<false>(
            a, [&a](auto vectors, const auto *tiles, const auto *states, std::size_t first) {
                for (int v = 0; v < vectors; ++v)
                    for (std::size_t c = 0; c < tiles[v].count; ++c, ++first) {
                        const MaxSum<T> result = state_of(tiles[v], states[v], c);
                        a.m[first] = result.m;
                        a.s[first] = result.s;
                    }
            });
    }

  private:
    static FS_INLINE MaxSum<T> row(const T *x, std::size_t n) {
        const T m = row_max<V>(x, n);
        if (__builtin_expect(m - m != 0, 0))
            return state_at_infinity(x, n, m);
        const T s = static_cast<T>(with_weight<Variant, V>(m, [&](const auto &weight) {
            using Weight = std::remove_cvref_t<decltype(weight)>;
            return weigh<false, V>(weight, x, nullptr, n) / unit_weight<V, Weight>(m);
        }));
        return {s == s ? m : s, s}; // the maximum passes over NaN, the sum doesn't
    }

    /// One lane of a tile that holds the logits.
    template <class Tile, class State>
    static FS_INLINE MaxSum<T> state_of(const Tile &tile, const State &state, std::size_t c) {
        const T m = state.m[c];
        if (m - m != 0)
            return state_at_infinity(tile.z + c, tile.n, m, tile.step);
        const double sum = static_cast<double>(state.total[c]) + state.lost[c];
        const T s = static_cast<T>(sum / state.unit[c]);
        return {s == s ? m : s, s};
    }
};

} // namespace fastsoftmax
