// m and z of a Heinsen state, and the weights of keys and queries that they give.
//
//   p_ti = exp(k_ti - m_i),   w_ti = exp(q_ti + m_i - c_t),   c_t = max_i(q_ti + m_i)
//
// See common/heinsen.hpp for how their exponents are taken.
#pragma once
#include "common/heinsen.hpp"
#include "kernels/heinsen_arguments.hpp"

namespace fastsoftmax {

template <class V> class HeinsenWeights {
    using T = typename V::scalar;
    static constexpr std::size_t lanes = V::lanes, side = heinsen_block;

  public:
    FS_INLINE HeinsenWeights(T *weights, T *top, std::size_t d_k)
        : d_k_(d_k), rows_(heinsen_padded(d_k)), m_(weights), z_(m_ + rows_), top_(top) {}

    /// Elements from `at` on of an array of n; `fill` beyond its end.
    static FS_INLINE V load(const T *from, std::size_t at, std::size_t n, double fill) {
        return at + lanes <= n ? V::load(from + at)
               : at < n        ? V::load_n(from + at, n - at, static_cast<T>(fill))
                               : V::set(fill);
    }
    /// Where feature i of a token lies among those of `tokens` tokens: in blocks.
    static FS_INLINE std::size_t place(std::size_t i, std::size_t tokens) {
        return (i & ~(side - 1)) * tokens + (i & (side - 1));
    }

    /// Finds the maxima with n more keys. False if one of them rises by more than 16 or isn't
    /// finite.
    __attribute__((noinline)) bool find_top(const T *k, std::size_t n) {
        V far = V::set(0), risen = V::set(0);
        for (std::size_t i = 0; i < rows_; i += lanes) {
            const V before = V::load(m_ + i);
            V top = before;
            for (std::size_t u = 0; u < n; ++u)
                top = V::max(top, load(k + u * d_k_, i, d_k_, heinsen_lowest<T>));
            top.store(top_ + i);
            risen = risen + V::greater(top, before) + (top - top);
            far = far + V::greater(top, before + V::set(16)) + (top - top);
        }
        risen_ = !(V::reduce_add(risen) == 0);
        return !risen_ || V::reduce_add(far) == 0;
    }

    /// Takes the new maxima; the factors for rows of A into `factor`. False if all of them are 1.
    bool rise(T *factor) {
        if (__builtin_expect(!risen_, 1))
            return false;
        for (std::size_t i = 0; i < rows_; i += lanes) {
            const V f = rise_factor(V::load(m_ + i), V::load(top_ + i));
            f.store(factor + i);
            (V::load(z_ + i) * f).store(z_ + i);
            V::load(top_ + i).store(m_ + i);
        }
        return true;
    }

    /// q + m of n queries, in lanes the highest of each; of `tokens`, those beyond n are again the
    /// last.
    __attribute__((noinline)) void find_highest(const T *q, std::size_t n, V *c,
                                                std::size_t tokens) const {
        for (std::size_t u = 0; u < tokens; ++u) {
            c[u] = V::set(2.0 * heinsen_lowest<T>);
            for (std::size_t i = 0; i < rows_; i += lanes)
                c[u] = V::max(c[u], query(row(q, u, n), i) + V::load(m_ + i));
        }
    }
    /// w of the same queries, whose highest q + m are c; in lanes, the sums of w z.
    __attribute__((noinline)) void weigh_queries(const T *q, std::size_t n, const T *c, T *w,
                                                 V *sum, std::size_t tokens) const {
        const ExactWeight<V, false> weight{T(0)};
        for (std::size_t u = 0; u < tokens; ++u) {
            const V highest = V::set(c[u]);
            sum[u] = V::set(0);
            for (std::size_t i = 0; i < rows_; i += lanes) {
                const TwoSum<V> e(query(row(q, u, n), i), V::load(m_ + i));
                const V x = weight(e.less(highest));
                x.store(w + place(i, tokens) + u * side);
                sum[u] = V::fma(x, V::load(z_ + i), sum[u]);
            }
        }
    }

    /// p of n keys; a feature of -inf weighs nothing, as all do beyond n.
    __attribute__((noinline)) void weigh_keys(const T *k, std::size_t n, T *p,
                                              std::size_t tokens) const {
        const ExactWeight<V, false> weight{T(0)};
        for (std::size_t u = 0; u < tokens; ++u)
            for (std::size_t i = 0; i < rows_; i += lanes)
                weight(load(row(k, u, n), i, u < n ? d_k_ : 0, -__builtin_inf()) - V::load(m_ + i))
                    .store(p + place(i, tokens) + u * side);
    }

    /// z += p of several tokens, each `apart` from the one before (0: in blocks, of a chunk).
    void add(const T *p, std::size_t tokens, std::size_t apart = 0) {
        for (std::size_t i = 0; i < rows_; i += lanes) {
            V sum = V::set(0);
            for (std::size_t u = 0; u < tokens; ++u)
                sum = sum + V::load(p + (apart ? i + u * apart : place(i, tokens) + u * side));
            (V::load(z_ + i) + sum).store(z_ + i);
        }
    }

  private:
    /// Token u of n, or the last.
    FS_INLINE const T *row(const T *tokens, std::size_t u, std::size_t n) const {
        return tokens + (u < n ? u : n - 1) * d_k_;
    }
    /// -inf counts as a very low number: its sum with an m of nothing must not lose to it.
    FS_INLINE V query(const T *q, std::size_t i) const {
        return V::max(V::set(heinsen_lowest<T> / 16), load(q, i, d_k_, heinsen_lowest<T>));
    }

    const std::size_t d_k_, rows_;
    T *const m_, *const z_, *const top_;
    bool risen_ = false;
};

} // namespace fastsoftmax
