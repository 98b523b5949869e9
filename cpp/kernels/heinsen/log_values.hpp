// Heinsen attention of values given as logarithms, which may lie anywhere in +-1e30: eq. 5 and 6 of
// arXiv 2404.05843, with H_S = M + log S kept as a maximum and a sum for each (i, j):
//
//   M_ij = max_t (k_ti + log v_tj),   S_ij = sum_t exp(k_ti + log v_tj - M_ij)
//   log y_tj = c_j - c + log(sum_i exp(q_ti + M_ij - c_j) S_ij / sum_i w_ti z_i)
//   c_j = max_i(q_ti + M_ij);  c, w and z as in feature_weights.hpp
//
// One token after the other, so S and z are compensated sums (Kahan): a million terms would else
// lose 2e-4; two exponentials for each element of A and token, many times the work of attention.hpp
// (`python bench/run.py --case heinsen`), and three times its memory.
//
// Error: M is any number near the maximum, so it is rounded without harm; every exponent is a
// two-sum less such a number plus the two-sum's error: one rounding of a number between -87 and 0,
// as in attention.hpp, whose bound holds relative to y. c_j - c is a two-sum, too; log y itself is
// rounded once, so at 1000 it is off by 3e-5 in float32.
// Edges: log v = -inf is v = 0, log y = -inf where all are. NaN and +inf in log v spread over the
// column for good; those of k and q as in attention.hpp.
// Rejected: A of attention.hpp from exp(log v), gone beyond +-88; one maximum for each column,
// which loses what a feature has that isn't of the largest key; H_S as one number, off by 5e-4 at
// 1e4.
#pragma once
#include "common/claims.hpp"
#include "common/heinsen_log.hpp"
#include "common/log.hpp"
#include "kernels/heinsen/feature_weights.hpp"

namespace fastsoftmax {

template <class Variant, class V> class HeinsenLog {
    using T = typename V::scalar;
    using Weights = HeinsenWeights<V>;
    static constexpr std::size_t lanes = V::lanes, side = heinsen_block;

  public:
    using Arguments = HeinsenLogArguments<T>;
    static constexpr Claim exact_claim = claims::heinsen_log;

    static void run(const Arguments &all) { each_head(all, run_head); }

  private:
    static void run_head(const Arguments &a) {
        const std::size_t rows = heinsen_padded(a.d_k);
        T *w = a.scratch, *p = w + rows, *space = p + rows, *over_z = a.weights + 2 * rows + side;
        Weights weights(a.weights, space + rows, a.d_k);
        const auto row = [&](const T *of) {
            return whole_rows<V>(of, 1, a.d_k, 1, 0, rows, space, -__builtin_inff());
        };
        for (std::size_t t = 0; t < a.n; ++t) {
            if (a.k) {
                const HeinsenRows<T> k = row(a.k + t * a.d_k);
                if (weights.template find_top<1>(k) != HeinsenRise::none) {
                    weights.rise(p);
                    for (std::size_t i = 0; i < rows; i += lanes)
                        (V::load(over_z + i) * V::load(p + i)).store(over_z + i);
                }
                for (std::size_t i = 0; i < rows; i += side)
                    weights.template weigh_keys<1>(k, i, p + i);
                for (std::size_t i = 0; i < rows; i += lanes) {
                    V z = V::load(a.weights + rows + i), over = V::load(over_z + i);
                    accumulate(z, over, V::load(p + i));
                    z.store(a.weights + rows + i);
                    over.store(over_z + i);
                }
            }
            T c = 0, total = 0;
            if (a.q) {
                const HeinsenRows<T> q = row(a.q + t * a.d_k);
                V sum[1];
                weights.find_highest(q, sum);
                c = V::reduce_max(sum[0]);
                weights.weigh_queries(q, &c, w, sum);
                total = static_cast<T>(V::reduce_add(sum[0]));
            }
            for (std::size_t j = a.first; j < a.last; j += lanes) {
                T *M = a.A + j / side * heinsen_panel_size(a.d_k, true) + (j & (side - 1));
                if (a.k)
                    add(a, t, j, M, M + rows * side, M + 2 * rows * side);
                if (a.q && j < a.d_v)
                    answer(a, t, j, M, M + rows * side, c, total);
            }
        }
    }

    static FS_INLINE V finite(V x) { return heinsen_finite(x, heinsen_floor<T>); }

    static FS_INLINE void add(const Arguments &a, std::size_t t, std::size_t j, T *M, T *S,
                              T *over_S) {
        const V v = finite(load_filled<V>(a.v + t * a.d_v, j, a.d_v, heinsen_lowest<T>));
        for (std::size_t i = 0; i < a.d_k; ++i, M += side, S += side, over_S += side) {
            const T k = a.k[t * a.d_k + i];
            if (k == -__builtin_inff()) // would count as a number in S, but not in z
                continue;
            HeinsenLogSum<V> element{V::load(M), V::load(S), V::load(over_S)};
            element.add(TwoSum<V>(V::set(k), v));
            element.top.store(M);
            element.sum.store(S);
            element.over.store(over_S);
        }
    }

    static FS_INLINE void answer(const Arguments &a, std::size_t t, std::size_t j, const T *M,
                                 const T *S, T c, T total) {
        const ExactWeight<V, Shift::none> weight{T(0)};
        const T *q = a.q + t * a.d_k;
        V top = V::set(2.0 * heinsen_lowest<T>), sum = V::set(0);
        for (std::size_t i = 0; i < a.d_k; ++i)
            top = V::max(top, finite(V::set(q[i])) + V::load(M + i * side));
        for (std::size_t i = 0; i < a.d_k; ++i) {
            const TwoSum<V> e(finite(V::set(q[i])), V::load(M + i * side));
            sum = V::fma(weight(e.less(top)), V::load(S + i * side), sum);
        }
        const TwoSum<V> apart(top, V::set(-c));
        const V mixed = sum * V::set(1 / total);
        const V y = a.log_output ? logarithm(mixed, apart) : heinsen_exponential(mixed, apart);
        T *to = a.y + t * a.d_v + j;
        if (j + lanes <= a.d_v)
            y.store(to);
        else
            y.store_n(to, a.d_v - j);
    }

    /// apart + log mixed; -inf where only log v = -inf was seen.
    static FS_INLINE V logarithm(V mixed, const TwoSum<V> &apart) {
        T x[lanes];
        double logs[lanes];
        mixed.store(x);
        for (std::size_t l = 0; l < lanes; ++l)
            logs[l] = x[l];
        take_logs<V>(logs, lanes);
        for (std::size_t l = 0; l < lanes; ++l)
            x[l] = static_cast<T>(logs[l]);
        return V::lowest_where_le(apart.sum + (apart.error + V::load(x)), apart.sum,
                                  V::set(heinsen_nothing<T>));
    }
};

} // namespace fastsoftmax
