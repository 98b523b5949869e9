// One token of Heinsen attention, in one pass over A: each element is loaded once, for the answer
// and for the update. What the query sees of its own token is added at the end.
#pragma once
#include "kernels/heinsen_head.hpp"

namespace fastsoftmax {

template <class V> class HeinsenToken {
    using T = typename V::scalar;
    static constexpr std::size_t lanes = V::lanes, side = heinsen_block;

  public:
    /// The state has the maxima with this token.
    static void run(HeinsenHead<V> &h, std::size_t t) {
        const HeinsenArguments<T> &a = h.a;
        V total = V::set(0), score = V::set(0);
        if (a.q) {
            const T *q = a.q + t * a.d_k;
            total = h.weights.weigh_query(q, V::reduce_max(h.weights.highest(q)), h.W, 1);
        }
        if (a.k) {
            h.weights.weigh_key(a.k + t * a.d_k, a.d_k, h.P, 1);
            h.weights.add(h.P, 1);
        }
        if (a.k && a.q)
            for (std::size_t i = 0; i < h.rows; i += lanes)
                score = V::fma(V::load(h.W + i), V::load(h.P + i), score);
        const V scale = V::set(1 / static_cast<T>(V::reduce_add(total + score)));
        const V own = V::set(static_cast<T>(V::reduce_add(score)));
        std::size_t j = a.first;
        // two vectors share what is broadcast; a panel has an even number of them, or is one
        if (a.k && a.q)
            for (; j + 2 * lanes <= heinsen_padded(a.last); j += 2 * lanes)
                columns<2, true, true>(h, t, j, own, scale);
        for (; j < a.last; j += lanes)
            a.q ? a.k ? columns<1, true, true>(h, t, j, own, scale)
                      : columns<1, false, true>(h, t, j, own, scale)
                : columns<1, true, false>(h, t, j, own, scale);
    }

  private:
    /// N vectors of columns of A and of the answer.
    template <int N, bool Keys, bool Queries>
    static FS_INLINE void columns(const HeinsenHead<V> &h, std::size_t t, std::size_t j, V own,
                                  V scale) {
        constexpr std::size_t step = 4; // chains of sums that hide the time of an addition
        V v[N], y[step][N];
        T *A[N];
        for (int c = 0; c < N; ++c) {
            const std::size_t at = j + static_cast<std::size_t>(c) * lanes;
            A[c] = h.panel(at & ~(side - 1)) + (at & (side - 1));
            v[c] = Keys ? HeinsenWeights<V>::load(h.a.v + t * h.a.d_v, at, h.a.d_v, 0) : V::set(0);
            for (std::size_t r = 0; r < step; ++r)
                y[r][c] = V::set(0);
        }
        for (std::size_t i = 0; i < h.a.d_k; i += step)
            for (std::size_t r = 0; r < step; ++r)
                for (int c = 0; c < N; ++c) {
                    T *to = A[c] + (i + r) * side;
                    const V a = V::load(to);
                    if constexpr (Queries)
                        y[r][c] = V::fma(V::set(h.W[i + r]), a, y[r][c]);
                    if constexpr (Keys)
                        V::fma(V::set(h.P[i + r]), v[c], a).store(to);
                }
        if constexpr (Queries)
            for (int c = 0; c < N; ++c)
                h.put(t, j + static_cast<std::size_t>(c) * lanes,
                      V::fma(own, v[c], (y[0][c] + y[1][c]) + (y[2][c] + y[3][c])) * scale);
    }
};

} // namespace fastsoftmax
