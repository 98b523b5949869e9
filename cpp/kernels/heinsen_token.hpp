// One token of Heinsen attention. A is only read: the token waits in the state until 8 are
// together, and queries see it through its score, as in a chunk:
//
//   y_j = (sum_i w_i A_ij + sum_u s_u v_uj) / (sum_i w_i z_i + sum_u s_u),   s_u = sum_i w_i p_ui
//
// Waiting halves the traffic of A, and a million tokens cost 5e-6 in place of 2e-4
// (docs/heinsen.md): added one by one, small terms vanish in large float sums.
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
        if (a.k)
            wait(h, t);
        if (a.q) {
            const T *q = a.q + t * a.d_k;
            V total;
            h.weights.find_highest(q, 1, &total, 1);
            const T c = V::reduce_max(total);
            h.weights.weigh_queries(q, 1, &c, h.W, &total, 1);
            V score[side];
            T scores[side];
            for (std::size_t u = 0; u < side; ++u)
                score[u] = V::set(0);
            for (std::size_t u = 0; u < h.count(); ++u) {
                for (std::size_t i = 0; i < h.rows; i += lanes)
                    score[u] =
                        V::fma(V::load(h.W + i), V::load(h.waiting_p + u * h.rows + i), score[u]);
                total = total + score[u];
            }
            const auto plus = [](V x, V y) { return x + y; };
            HeinsenBlock<V>::fold(score, scores, plus, V::reduce_add);
            const V scale = V::set(1 / static_cast<T>(V::reduce_add(total)));
            std::size_t j = a.first;
            // two vectors share what is broadcast; a panel has an even number of them, or is one
            for (; j + 2 * lanes <= heinsen_padded(a.last); j += 2 * lanes)
                columns<2>(h, t, j, scores, scale);
            for (; j < a.last; j += lanes)
                columns<1>(h, t, j, scores, scale);
        }
        if (h.count() == heinsen_waiting)
            h.settle();
    }

  private:
    static FS_INLINE void wait(HeinsenHead<V> &h, std::size_t t) {
        const std::size_t u = h.count();
        h.weights.weigh_keys(h.a.k + t * h.a.d_k, 1, h.waiting_p + u * h.rows, 1);
        for (std::size_t j = h.a.first; j < h.a.last; j += side)
            for (std::size_t c = 0; c < side; c += lanes)
                HeinsenWeights<V>::load(h.a.v + t * h.a.d_v, j + c, h.a.d_v, 0)
                    .store(h.waiting_v(j) + u * side + c);
        *h.waiting = static_cast<T>(u + 1);
    }

    /// N vectors of columns of the answer.
    template <int N>
    static FS_INLINE void columns(const HeinsenHead<V> &h, std::size_t t, std::size_t j,
                                  const T *scores, V scale) {
        constexpr std::size_t step = 4; // chains of sums that hide the time of an addition
        V y[step][N];
        const T *A[N];
        for (int c = 0; c < N; ++c) {
            const std::size_t at = j + static_cast<std::size_t>(c) * lanes;
            A[c] = h.panel(at & ~(side - 1)) + (at & (side - 1));
            for (std::size_t r = 0; r < step; ++r)
                y[r][c] = V::set(0);
        }
        for (std::size_t i = 0; i < h.a.d_k; i += step)
            for (std::size_t r = 0; r < step; ++r)
                for (int c = 0; c < N; ++c)
                    y[r][c] = V::fma(V::set(h.W[i + r]), V::load(A[c] + (i + r) * side), y[r][c]);
        for (std::size_t u = 0; u < h.count(); ++u)
            for (int c = 0; c < N; ++c)
                y[0][c] = V::fma(V::set(scores[u]), V::load(A[c] + (h.rows + u) * side), y[0][c]);
        for (int c = 0; c < N; ++c)
            h.put(t, j + static_cast<std::size_t>(c) * lanes,
                  ((y[0][c] + y[1][c]) + (y[2][c] + y[3][c])) * scale);
    }
};

} // namespace fastsoftmax
