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
#include "kernels/row_passes.hpp"

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

  private:
    static FS_INLINE MaxSum<T> row(const T *x, std::size_t n) {
        const T m = row_max<V>(x, n);
        if (__builtin_expect(m - m != 0, 0))
            return state_at_infinity(x, n, m);
        const T s = static_cast<T>(with_weight<Variant, V>(m, [&](const auto &weight) {
            return weigh<false, V>(weight, x, nullptr, n) / unit(weight, m);
        }));
        return {s == s ? m : s, s}; // the maximum passes over NaN, the sum doesn't
    }

    template <class W> static FS_INLINE double unit(const W &, T) { return 1; }
    template <int Degree, bool Shifted>
    static FS_INLINE double unit(const ExpWeight<V, Degree, Shifted> &, T m) {
        return V::reduce_max(ExactWeight<V, Shifted>(m)(V::set(m)));
    }
    template <bool Shifted>
    static FS_INLINE double unit(const ExpTableWeight<V, Shifted> &weight, T m) {
        return V::reduce_max(weight(V::set(m)));
    }
};

} // namespace fastsoftmax
