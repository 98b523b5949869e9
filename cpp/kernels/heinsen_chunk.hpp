// Up to 16 tokens of Heinsen attention at once, as products of 16 x 16 blocks:
//
//   S = W P^T, zero where the key is later;   Y = W A + S V;   A += P^T V
//
// Missing tokens have keys that weigh nothing, values of 0 and answers that nobody stores.
#pragma once
#include "kernels/heinsen_head.hpp"

namespace fastsoftmax {

template <class V> class HeinsenChunk {
    using T = typename V::scalar;
    using Block = HeinsenBlock<V>;
    static constexpr std::size_t lanes = V::lanes, side = heinsen_block;

  public:
    FS_INLINE HeinsenChunk(HeinsenHead<V> &head, std::size_t t, std::size_t n)
        : h_(head), a_(head.a), t_(t), n_(n) {}

    /// The state has the maxima with these tokens.
    void run() {
        V total[side];
        T scale[side];
        if (a_.q)
            weigh_queries(total, scale);
        if (a_.k)
            weigh_keys();
        if (a_.q && a_.k)
            score(total);
        if (a_.q) {
            const auto plus = [](V x, V y) { return x + y; };
            Block::fold(total, scale, plus, V::reduce_add);
            for (T &s : scale)
                s = T(1) / s;
        }
        for (std::size_t j = a_.first; j < a_.last; j += side) {
            if (a_.k)
                take_values(j);
            if (a_.q)
                answer(j, scale);
            if (a_.k)
                for (std::size_t i = 0; i < h_.rows; i += side)
                    Block::multiply(h_.panel(j) + i * side, h_.P + i * side, h_.V_, 1, true);
        }
    }

  private:
    /// W, and in lanes the sums of w z.
    FS_INLINE void weigh_queries(V (&total)[side], T *c) {
        const T *q = a_.q + t_ * a_.d_k;
        h_.weights.find_highest(q, n_, total, side);
        Block::fold(total, c, V::max, V::reduce_max);
        h_.weights.weigh_queries(q, n_, c, h_.W, total, side);
    }

    /// P^T in blocks; what the queries see of these keys comes from S, so z may have them now.
    FS_INLINE void weigh_keys() {
        h_.weights.weigh_keys(a_.k + t_ * a_.d_k, n_, h_.P, side);
        h_.weights.add(h_.P, side);
        for (T *P = h_.P, *end = P + h_.rows * side; P < end; P += heinsen_block_size) {
            Block::transpose(h_.p, P);
            for (std::size_t l = 0; l < heinsen_block_size; l += lanes)
                V::load(h_.p + l).store(P + l);
        }
    }

    /// S, and its sums onto the totals.
    FS_INLINE void score(V (&total)[side]) {
        Block::multiply(h_.S, h_.W, h_.P, h_.rows / side, false);
        for (std::size_t u = 0; u < side; ++u)
            for (std::size_t s = 0; s < side; s += lanes) {
                const V seen = HeinsenWeights<V>::load(h_.S + u * side, s, u + 1, 0);
                seen.store(h_.S + u * side + s);
                total[u] = total[u] + seen;
            }
    }

    FS_INLINE void take_values(std::size_t j) {
        for (std::size_t u = 0; u < side; ++u)
            for (std::size_t c = 0; c < side; c += lanes)
                HeinsenWeights<V>::load(a_.v + (u < n_ ? t_ + u : 0) * a_.d_v, j + c,
                                        u < n_ ? a_.d_v : 0, 0)
                    .store(h_.V_ + u * side + c);
    }

    FS_INLINE void answer(std::size_t j, const T *scale) {
        Block::multiply(h_.Y, h_.W, h_.panel(j), h_.rows / side, false);
        if (a_.k)
            Block::multiply(h_.Y, h_.S, h_.V_, 1, true);
        for (std::size_t u = 0; u < n_; ++u)
            for (std::size_t c = 0; c < side; c += lanes)
                h_.put(t_ + u, j + c, V::load(h_.Y + u * side + c) * V::set(scale[u]));
    }

    HeinsenHead<V> &h_;
    const HeinsenArguments<T> &a_;
    const std::size_t t_, n_;
};

} // namespace fastsoftmax
