// The recurrence, one logit after another, as the literature times it: state (m, s), start (-inf,
// 0).
//
//   exact, poly, quad:  s = x > m ? s * w(m - x) + w(0) : s + w(x - m)
//   sr1 .. sr8:         s = x > m ? s * exp(m - x) + h(0) : s + h(x - m)
//   sr1_raw .. sr8_raw: s = g(m, s, x), start m = x_0, s = 1: the published text to the letter,
//   with
//                       its missing rescale; for study (docs/softmaxxing.md has the damage)
//
// Scalar units only: the point is the serial chain. On the usual path (no new maximum) that chain
// is one addition, whatever the weight costs. Error: one update as the table says; s is one float
// chain, so a row of n loses up to n * 6e-8. Edges: as the normalizer, except raw, which gives what
// its formula gives.
#pragma once
#include "common/claims.hpp"
#include "common/max_sum.hpp"
#include "kernels/arguments.hpp"

namespace fastsoftmax {

template <class Variant, class V> struct Scan {
    using T = typename V::scalar;
    using Arguments = ScanArguments<T>;
    static constexpr Claim exact_claim = claims::update;

    static void run(const Arguments &a) {
        for (std::size_t r = 0; r < a.rows; ++r) {
            const auto state = row(a.x + static_cast<std::ptrdiff_t>(r) * a.x_stride, a.n);
            a.m[r] = state.m;
            a.s[r] = state.s;
        }
    }

  private:
    static FS_INLINE MaxSum<T> row(const T *x, std::size_t n) {
        const T infinity = static_cast<T>(__builtin_inf());
        MaxSum<T> state{-infinity, 0};
        std::size_t i = 0;
        while (i < n && x[i] == -infinity)
            ++i;
        const OnlineUpdate<Variant, V> update;
        for (; i < n; ++i)
            state = update(state, x[i]);
        if (state.m == infinity)
            return state_at_infinity(x, n, state.m);
        if (state.s != state.s)
            state.m = state.s;
        return state;
    }
};

/// The published recurrence g(m, s, x) of a surrogate.
template <class Surrogate> struct Raw {
    static constexpr VariantInfo info() { return Surrogate::info(); }
};

template <class Surrogate, class V> struct Scan<Raw<Surrogate>, V> {
    using T = typename V::scalar;
    using Arguments = ScanArguments<T>;

    static void run(const Arguments &a) {
        for (std::size_t r = 0; r < a.rows; ++r) {
            const T *x = a.x + static_cast<std::ptrdiff_t>(r) * a.x_stride;
            T m = -static_cast<T>(__builtin_inf()), s = 0;
            if (a.n > 0) {
                m = x[0];
                s = 1;
            }
            for (std::size_t i = 1; i < a.n; ++i) {
                s = Surrogate::template g<V>(V{m}, V{s}, V{x[i]}).v;
                m = V::max(V{x[i]}, V{m}).v;
            }
            a.m[r] = m;
            a.s[r] = s;
        }
    }
};

} // namespace fastsoftmax
