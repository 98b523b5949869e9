// Logarithm of softmax, row by row: y = (x - m) - log s.
//
// Passes over a row: maximum (read), sum of weights (read), result (read, write). The exponential
// of the numerator cancels with the logarithm, so a surrogate only shows in s, and nothing is lost
// where a probability would be flushed to 0. x - m is exact near the maximum, whatever the offset.
//
// Error, exact: 5e-7 (float32) or 4e-15 (float64) absolute from s, plus the roundings of x - m and
// of the result, half a unit in the last place each. Edges: -inf gives -inf; a row of -inf only, or
// with a NaN or +inf, is all NaN.
#pragma once
#include "common/log.hpp"
#include "kernels/arguments.hpp"
#include "kernels/columns.hpp"
#include "kernels/row_passes.hpp"
#include "kernels/unit_weight.hpp"
#include <type_traits>

namespace fastsoftmax {

template <class Variant, class V> struct LogSoftmax {
    using T = typename V::scalar;
    using Arguments = LogSoftmaxArguments<T>;
    static constexpr double exact_bound = sizeof(T) == 4 ? 5e-7 : 4e-15;
    static constexpr const char *exact_bound_kind = "absolute, log probability, and two roundings";

    static void run(const Arguments &a) {
        for (std::size_t r = 0; r < a.rows; ++r) {
            const auto i = static_cast<std::ptrdiff_t>(r);
            const T *x = a.x + i * a.x_stride;
            const T m = row_max<V>(x, a.n);
            subtract(x, a.y + i * a.y_stride, a.n, m, log_sum(x, a.n, m));
        }
    }
    static void columns(const ColumnsArguments<T> &a) {
        Columns<Variant, V>::template each<false>(
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

  private:
    static FS_INLINE T log_sum(const T *x, std::size_t n, T m) {
        if (__builtin_expect(m - m != 0, 0))
            return static_cast<T>(__builtin_nan(""));
        return static_cast<T>(log_of_sum(with_weight<Variant, V>(m, [&](const auto &weight) {
            using Weight = std::remove_cvref_t<decltype(weight)>;
            return weigh<false, V>(weight, x, nullptr, n) / unit_weight<V, Weight>(m);
        })));
    }

    static FS_INLINE void subtract(const T *x, T *y, std::size_t n, T m, T log_s) {
        constexpr std::size_t lanes = V::lanes;
        const V maximum = V::set(m), rest = V::set(log_s);
        std::size_t i = 0;
        for (; i + lanes <= n; i += lanes)
            ((V::load(x + i) - maximum) - rest).store(y + i);
        if (i < n)
            ((V::load_n(x + i, n - i, 0) - maximum) - rest).store_n(y + i, n - i);
    }
};

} // namespace fastsoftmax
