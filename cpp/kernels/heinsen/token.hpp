// One token of Heinsen attention. A is only read: the token waits in the state until 8 are
// together, and queries see it through its score, as in a chunk:
//
//   y_j = (sum_i w_i A_ij + sum_u s_u v_uj) / (sum_i w_i z_i + sum_u s_u),   s_u = sum_i w_i p_ui
//
// Waiting halves the traffic of A, and a million tokens cost 1e-5 in place of 2e-4
// (docs/heinsen.md): added one by one, small terms vanish in large float sums.
#pragma once
#include "kernels/heinsen/head.hpp"

namespace fastsoftmax {

template <class V> class HeinsenToken {
    using T = typename V::scalar;
    using Rows = HeinsenRows<T>;
    static constexpr std::size_t lanes = V::lanes, side = heinsen_block;

  public:
    /// Token t, its query and key in whole rows. The state has the maxima with it.
    static FS_INLINE void run(HeinsenHead<V> &h, std::size_t t, Rows q, Rows k) {
        if (h.a.k) {
            if (__builtin_expect(h.count() == heinsen_waiting, 0)) // no call of ours leaves so many
                h.settle();
            wait(h, t, k);
        }
        const std::size_t waiting = h.count();
        if (h.a.q)
            answer(h, t, q, waiting);
        if (waiting == heinsen_waiting)
            h.settle();
    }

  private:
    static FS_INLINE void wait(HeinsenHead<V> &h, std::size_t t, Rows k) {
        const std::size_t found = h.count(), u = found < heinsen_waiting ? found : found - 1;
        T *p = h.waiting_p + u * h.rows;
        for (std::size_t i = 0; i < h.rows; i += side)
            h.weights.template weigh_keys<1>(k, i, p + i);
        for (std::size_t j = h.a.first; j < h.a.last; j += side) {
            T *to = h.waiting_v(j) + u * side;
            const Rows v = whole_rows<V>(h.a.v + t * h.a.d_v, 1, h.a.d_v, 1, j, side, h.V_, 0);
            for (std::size_t c = 0; c < side; c += lanes)
                V::load(v.at + c).store(to + c);
        }
        *h.waiting = static_cast<T>(u + 1);
    }

    static FS_INLINE void answer(const HeinsenHead<V> &h, std::size_t t, Rows q,
                                 std::size_t waiting) {
        V total[1], score[heinsen_waiting];
        h.weights.find_highest(q, total);
        const T c = V::reduce_max(total[0]);
        h.weights.weigh_queries(q, &c, h.W, total);
        for (V &s : score)
            s = V::set(0);
        const T *p = h.waiting_p;
        for (std::size_t u = 0; u < waiting; ++u, p += h.rows) {
            for (std::size_t i = 0; i < h.rows; i += lanes)
                score[u] = V::fma(V::load(h.W + i), V::load(p + i), score[u]);
            total[0] = total[0] + score[u];
        }
        T scores[side] = {}; // a compiler cannot know that no more than 8 wait
        const auto plus = [](V x, V y) { return x + y; };
        HeinsenBlock<V>::fold(score, scores, plus, V::reduce_add);
        const V scale = V::set(1 / static_cast<T>(V::reduce_add(total[0])));
        // two vectors share what is broadcast; a panel has an even number of them, or is one
        std::size_t j = h.a.first;
        for (; j + 2 * lanes <= heinsen_padded(h.a.last); j += 2 * lanes)
            columns<2>(h, t, j, waiting, scores, scale);
        for (; j < h.a.last; j += lanes)
            columns<1>(h, t, j, waiting, scores, scale);
    }

    /// N vectors of columns of the answer.
    template <std::size_t N>
    static FS_INLINE void columns(const HeinsenHead<V> &h, std::size_t t, std::size_t j,
                                  std::size_t waiting, const T *scores, V scale) {
        constexpr std::size_t step = 4; // chains of sums that hide the time of an addition
        V y[step][N];
        const T *A[N];
#pragma GCC unroll 8
        for (std::size_t c = 0; c < N; ++c) {
            const std::size_t at = j + c * lanes;
            A[c] = h.panel(at & ~(side - 1)) + (at & (side - 1));
#pragma GCC unroll 8
            for (std::size_t r = 0; r < step; ++r)
                y[r][c] = V::set(0);
        }
        for (std::size_t i = 0; i < h.a.d_k; i += step)
#pragma GCC unroll 8
            for (std::size_t r = 0; r < step; ++r)
#pragma GCC unroll 8
                for (std::size_t c = 0; c < N; ++c)
                    y[r][c] = V::fma(V::set(h.W[i + r]), V::load(A[c] + (i + r) * side), y[r][c]);
        for (std::size_t u = 0; u < waiting; ++u)
#pragma GCC unroll 8
            for (std::size_t c = 0; c < N; ++c)
                y[0][c] = V::fma(V::set(scores[u]), V::load(A[c] + (h.rows + u) * side), y[0][c]);
#pragma GCC unroll 8
        for (std::size_t c = 0; c < N; ++c) {
            const V sum = (y[0][c] + y[1][c]) + (y[2][c] + y[3][c]);
            h.put(t, j + c * lanes, sum * scale);
        }
    }
};

} // namespace fastsoftmax
