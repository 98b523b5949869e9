// The state (m, s) of rows, or its logarithm, log-sum-exp: m + log s.
//
// How states are taken: rows/states.hpp, which has their error and edges. The logarithm is taken in
// double, by vectors over a group of rows (common/log.hpp), and m + log s is rounded once: it is
// off by what s is, 5e-7 absolute at most (float64: 4e-15), and half a unit in the last place. A
// row of nothing or of -inf has log-sum-exp -inf, one with +inf +inf, one with a NaN NaN.
#pragma once
#include "common/claims.hpp"
#include "common/log.hpp"
#include "kernels/arguments.hpp"
#include "kernels/columns/tiled.hpp"
#include "kernels/rows/states.hpp"

namespace fastsoftmax {

/// Writes states, or their logarithms where no sums are wanted. One copy for all variants.
template <class V, class T = typename V::scalar>
__attribute__((noinline)) void give_states(const T *m, double *s, std::size_t count, T *to_m,
                                           T *to_s) {
    if (to_s) {
        for (std::size_t i = 0; i < count; ++i) {
            to_m[i] = m[i];
            to_s[i] = static_cast<T>(s[i]);
        }
        return;
    }
    for (std::size_t i = 0; i < count; ++i) // of s as it is given
        s[i] = static_cast<double>(static_cast<T>(s[i]));
    take_logs<V>(s, count);
    for (std::size_t i = 0; i < count; ++i)
        to_m[i] = static_cast<T>(static_cast<double>(m[i]) + s[i]);
    for (std::size_t i = 0; i < count; ++i)
        if (__builtin_expect(m[i] - m[i] != 0, 0)) // the result already
            to_m[i] = m[i];
}

template <class Variant, class V> struct Normalizer {
    using T = typename V::scalar;
    using Arguments = NormalizerArguments<T>;
    static constexpr Claim exact_claim = claims::normalizer;

    static void run(const Arguments &a) {
        RowStates<Variant, V>::each(
            a.x, a.x_stride, a.rows, a.n, [&a](std::size_t first, std::size_t count, auto &states) {
                give_states<V>(states.m, states.s, count, a.m + first, a.s ? a.s + first : nullptr);
            });
    }
    /// Not for surrogates, whose columns are gathered: the library would outgrow 2 MB.
    static void columns(const ColumnsArguments<T> &a)
        requires std::same_as<Variant, variant::exact>
    {
        Columns<Variant, V>::template each<Storing::nothing>(
            a, [&a](auto vectors, const auto *tiles, const auto *states, std::size_t first) {
                for (int v = 0; v < vectors; ++v) {
                    T m[V::lanes];
                    double s[V::lanes];
                    for (std::size_t c = 0; c < tiles[v].count; ++c) {
                        const MaxSum<T> result = state_of(tiles[v], states[v], c);
                        m[c] = result.m;
                        s[c] = result.s;
                    }
                    give_states<V>(m, s, tiles[v].count, a.m + first, a.s ? a.s + first : nullptr);
                    first += tiles[v].count;
                }
            });
    }
    static void long_step(const LongRowArguments<T> &a)
        requires std::same_as<Variant, variant::exact>
    {
        long_row_step<Storing::nothing, V>(a, [](const auto &...) {});
        if (a.step == LongRowStep::merge && a.total->good)
            give_states<V>(&a.total->m, &a.total->s, 1, a.m, a.s);
    }

  private:
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
