// Logarithm of softmax, row by row: y = (x - m) - log s.
//
// Passes over a row: its state (rows/states.hpp), then the result (read, write). The exponential
// of the numerator cancels with the logarithm, so a surrogate only shows in s, and nothing is lost
// where a probability would be flushed to 0. x - m is exact near the maximum, whatever the offset.
//
// Error, exact: 5e-7 (float32) or 4e-15 (float64) absolute from s, plus the roundings of x - m and
// of the result, half a unit in the last place each. Edges: -inf gives -inf; a row of -inf only, or
// with a NaN or +inf, is all NaN.
#pragma once
#include "common/claims.hpp"
#include "common/log.hpp"
#include "kernels/arguments.hpp"
#include "kernels/columns/tiled.hpp"
#include "kernels/rows/states.hpp"

namespace fastsoftmax {

template <class Variant, class V> struct LogSoftmax {
    using T = typename V::scalar;
    using Arguments = LogSoftmaxArguments<T>;
    static constexpr Claim exact_claim = claims::log_probability;

    static void run(const Arguments &a) {
        RowStates<Variant, V>::each(a.x, a.x_stride, a.rows, a.n,
                                    [&a](std::size_t first, std::size_t count, auto &states) {
                                        take_logs<V>(states.s, count);
                                        for (std::size_t i = 0; i < count; ++i) {
                                            const auto r = static_cast<std::ptrdiff_t>(first + i);
                                            subtract(a.x + r * a.x_stride, a.y + r * a.y_stride,
                                                     a.n, states.m[i], static_cast<T>(states.s[i]));
                                        }
                                    });
    }
    /// Not for surrogates, whose columns are gathered: the library would outgrow 2 MB.
    static void columns(const ColumnsArguments<T> &a)
        requires std::same_as<Variant, variant::exact>
    {
        Columns<Variant, V>::template each<Storing::nothing>(
            a, [&a](auto vectors, const auto *tiles, const auto *states, std::size_t first) {
                V m[vectors], log_s[vectors];
                for (int v = 0; v < vectors; ++v) {
                    m[v] = V::load(states[v].m);
                    log_s[v] = states[v].lanes(
                        [](T, double s, T unit) { return static_cast<T>(log_of_sum(s / unit)); });
                }
                write_columns<vectors>(a, first, tiles,
                                       [&](int v, V x) { return (x - m[v]) - log_s[v]; });
            });
    }
    static void long_step(const LongRowArguments<T> &a)
        requires std::same_as<Variant, variant::exact>
    {
        long_row_step<Storing::nothing, V>(a, [&a](const auto &, std::size_t, std::size_t at,
                                                   std::size_t size) {
            subtract(a.x + at, a.y + at, size, a.total->m, static_cast<T>(log_of_sum(a.total->s)));
        });
    }

  private:
    static FS_INLINE void subtract(const T *x, T *y, std::size_t n, T m, T log_s) {
        constexpr std::size_t lanes = V::lanes;
        const V maximum = V::set(m), log_sum = V::set(log_s);
        std::size_t i = 0;
        for (; i + lanes <= n; i += lanes)
            ((V::load(x + i) - maximum) - log_sum).store(y + i);
        if (i < n)
            ((V::load_n(x + i, n - i, 0) - maximum) - log_sum).store_n(y + i, n - i);
    }
};

} // namespace fastsoftmax
