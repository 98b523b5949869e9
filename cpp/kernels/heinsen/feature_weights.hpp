// m and z of a Heinsen state, and the weights of keys and queries that they give.
//
//   p_ti = exp(k_ti - m_i),   w_ti = exp(q_ti + m_i - c_t),   c_t = max_i(q_ti + m_i)
//
// See common/heinsen.hpp for how their exponents are taken. Tokens come in whole rows
// (token_rows.hpp), N of them: 1, or 16, a chunk. What stands for missing ones, and beyond d_k,
// is -inf: a key that weighs nothing, a query whose answer nobody takes.
#pragma once
#include "common/heinsen.hpp"
#include "kernels/heinsen/token_rows.hpp"

namespace fastsoftmax {

/// How far keys raise the maxima: not at all, by 16 at most, by more.
enum class HeinsenRise { none, near, far };

template <class V> class HeinsenWeights {
    using T = typename V::scalar;
    using Rows = HeinsenRows<T>;
    static constexpr std::size_t lanes = V::lanes, side = heinsen_block;

  public:
    FS_INLINE HeinsenWeights(T *weights, T *top, std::size_t d_k)
        : rows_(heinsen_padded(d_k)), m_(weights), z_(m_ + rows_), top_(top) {}

    /// Finds the maxima with N more keys; NaN is passed over, as it will spoil p.
    template <std::size_t N> FS_INLINE HeinsenRise find_top(Rows k) {
        unsigned risen = 0, far = 0;
        for (std::size_t i = 0; i < rows_; i += lanes) {
            const V before = V::load(m_ + i);
            V top = before;
            for (std::size_t u = 0; u < N; ++u)
                top = V::max(V::load(k[u] + i), top);
            top.store(top_ + i);
            risen |= V::greater_mask(top, before);
            far |= V::greater_mask(top, before + V::set(heinsen_near));
        }
        return __builtin_expect(risen == 0, 1) ? HeinsenRise::none
               : far == 0                      ? HeinsenRise::near
                                               : HeinsenRise::far;
    }

    /// Takes the new maxima; the factors for rows of A into `factor`.
    __attribute__((noinline)) void rise(T *factor) {
        for (std::size_t i = 0; i < rows_; i += lanes) {
            MaxSum<V> state{V::load(m_ + i), V::load(z_ + i)};
            state.rise_to(V::load(top_ + i), ByExp{}).store(factor + i);
            state.s.store(z_ + i);
            state.m.store(m_ + i);
        }
    }

    /// q + m of N queries, in lanes the highest of each.
    template <std::size_t N> FS_INLINE void find_highest(Rows q, V (&c)[N]) const {
        for (std::size_t u = 0; u < N; ++u) {
            c[u] = query(q[u], 0) + V::load(m_);
            for (std::size_t i = lanes; i < rows_; i += lanes)
                c[u] = V::max(c[u], query(q[u], i) + V::load(m_ + i));
        }
    }
    /// w of the same queries, whose highest q + m are c, in blocks; in lanes, the sums of w z.
    template <std::size_t N>
    FS_INLINE void weigh_queries(Rows q, const T *c, T *w, V (&sum)[N]) const {
        const ExactWeight<V, Shift::none> weight{T(0)};
        for (std::size_t u = 0; u < N; ++u) {
            const V highest = V::set(c[u]);
            T *to = w + u * side;
            sum[u] = V::set(0);
            for (std::size_t i = 0; i < rows_; i += side, to += N * side)
                for (std::size_t l = 0; l < side; l += lanes) {
                    const TwoSum<V> e(query(q[u], i + l), V::load(m_ + i + l));
                    const V x = weight(e.less(highest));
                    x.store(to + l);
                    sum[u] = V::fma(x, V::load(z_ + i + l), sum[u]);
                }
        }
    }

    /// p of N keys for the features from i on, a block of them, token by token.
    template <std::size_t N> FS_INLINE void weigh_keys(Rows k, std::size_t i, T *p) const {
        const ExactWeight<V, Shift::none> weight{T(0)};
        for (std::size_t l = 0; l < side; l += lanes) {
            const V m = V::load(m_ + i + l);
            for (std::size_t u = 0; u < N; ++u)
                weight(V::load(k[u] + i + l) - m).store(p + u * side + l);
        }
    }

    /// z += p of so many tokens for a block of features, each token `apart` from the one before.
    FS_INLINE void add(std::size_t i, const T *p, std::size_t tokens, std::size_t apart) {
        for (std::size_t l = 0; l < side; l += lanes) {
            V sum = V::load(p + l);
            for (std::size_t u = 1; u < tokens; ++u)
                sum = sum + V::load(p + u * apart + l);
            (V::load(z_ + i + l) + sum).store(z_ + i + l);
        }
    }

  private:
    /// -inf counts as a very low number: its sum with an m of nothing must not lose to it.
    FS_INLINE V query(const T *q, std::size_t i) const {
        return V::max(V::set(heinsen_floor<T>), V::load(q + i));
    }

    const std::size_t rows_;
    T *const m_, *const z_, *const top_;
};

} // namespace fastsoftmax
