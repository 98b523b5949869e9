// Up to 16 tokens of Heinsen attention at once, as products of 16 x 16 blocks:
//
//   S = W P^T, zero where the key is later;   Y = (W A + S V) / sums;   A += P^T V
//
// Missing tokens have keys that weigh nothing, values of 0 and answers that nobody takes.
#pragma once
#include "kernels/heinsen/head.hpp"

namespace fastsoftmax {

template <class V> class HeinsenChunk {
    using T = typename V::scalar;
    using Block = HeinsenBlock<V>;
    static constexpr std::size_t lanes = V::lanes, side = heinsen_block;

  public:
    /// Tokens t to t + n, their queries and keys in whole rows.
    FS_INLINE HeinsenChunk(HeinsenHead<V> &head, std::size_t t, std::size_t n, HeinsenRows<T> q,
                           HeinsenRows<T> k)
        : h_(head), a_(head.a), t_(t), n_(n), q_(q), k_(k) {}

    /// The state has the maxima with these tokens.
    __attribute__((noinline)) void run() {
        T scale[side];
        V total[side];
        if (a_.q)
            weigh_queries(total);
        if (a_.k)
            weigh_keys();
        if (a_.q)
            score(total, scale);
        for (std::size_t j = a_.first; j < a_.last; j += side) {
            HeinsenRows<T> values{};
            if (a_.k)
                values = whole_rows<V>(a_.v + t_ * a_.d_v, n_, a_.d_v, side, j, side, h_.V_, 0);
            if (a_.q)
                answer(j, values, scale);
            if (a_.k)
                Block::add(h_.panel(j), h_.P, values, h_.rows / side);
        }
    }

  private:
    /// W, and in lanes the sums of w z.
    FS_INLINE void weigh_queries(V (&total)[side]) const {
        T c[side];
        h_.weights.find_highest(q_, total);
        Block::fold(total, c, V::max, V::reduce_max);
        h_.weights.weigh_queries(q_, c, h_.W, total);
    }

    /// P^T in blocks; what the queries see of these keys comes from S, so z may have them now.
    FS_INLINE void weigh_keys() {
        for (std::size_t i = 0; i < h_.rows; i += side) {
            h_.weights.template weigh_keys<side>(k_, i, h_.p);
            h_.weights.add(i, h_.p, side, side);
            Block::transpose(h_.P + i * side, h_.p);
        }
    }

    /// S, and 1 over the sums of weights.
    FS_INLINE void score(V (&total)[side], T (&scale)[side]) const {
        if (a_.k) {
            Block::multiply(h_.S, h_.W, h_.P, h_.rows / side);
            for (std::size_t u = 0; u < side; ++u)
                for (std::size_t s = 0; s < side; s += lanes) {
                    const V seen = first_of(h_.S + u * side + s, s > u ? 0 : u + 1 - s);
                    seen.store(h_.S + u * side + s);
                    total[u] = total[u] + seen;
                }
        }
        const auto plus = [](V x, V y) { return x + y; };
        Block::fold(total, scale, plus, V::reduce_add);
        for (T &s : scale)
            s = T(1) / s;
    }
    static FS_INLINE V first_of(const T *from, std::size_t n) {
        return n >= lanes ? V::load(from) : V::load_n(from, n, 0);
    }

    FS_INLINE void answer(std::size_t j, HeinsenRows<T> values, const T *scale) const {
        const T *S = a_.k ? h_.S : nullptr;
        T *y = a_.y + t_ * a_.d_v + j;
        if (__builtin_expect(n_ == side && j + side <= a_.d_v, 1))
            return Block::answer(y, a_.d_v, h_.W, h_.panel(j), h_.rows / side, S, values, scale);
        Block::answer(h_.Y, side, h_.W, h_.panel(j), h_.rows / side, S, values, scale);
        for (std::size_t u = 0; u < n_; ++u)
            for (std::size_t c = 0; c < side; c += lanes)
                h_.put(t_ + u, j + c, V::load(h_.Y + u * side + c));
    }

    HeinsenHead<V> &h_;
    const HeinsenArguments<T> &a_;
    const std::size_t t_, n_;
    const HeinsenRows<T> q_, k_;
};

} // namespace fastsoftmax
