// Heinsen attention (arXiv 2404.05843) of one head in its linear, max-shifted form:
//
//   y_tj = sum_i w_ti A_ij / sum_i w_ti z_i,   w_ti = exp(q_ti + m_i - c_t)
//
// with the state of common/heinsen.hpp, in blocks of 8 tokens. A block takes its maxima first and
// rescales the state once, only in features whose maximum rose. A row of A is then loaded once for
// the answers and the update of all 8 tokens; what the block's queries see of its own tokens is a
// masked 8 x 8 product. One token is a block of one.
//
// With queries, m may not rise by more than 16 within a block, or earlier tokens of it would lose
// what later ones outweigh: such a block goes token by token, as the first one does.
//
// Error of y relative to sum_t weight |v_t|: 5e-6 (float32), 1e-13 (float64), up to 1000 tokens; it
// grows with the number of tokens as float sums do.
// Edges: -inf in k skips the feature, -inf in q counts as a very low number; an empty state gives
// NaN; NaN and +inf in k spread over the feature for good, in q over the answer.
// Rejected: the log domain of eq. 5 and 6, an exp and a log for each element of the state (5 to 13
// times the time).
#pragma once
#include "common/heinsen.hpp"
#include "kernels/heinsen_arguments.hpp"

namespace fastsoftmax {

template <class V> class Heinsen {
    using T = typename V::scalar;
    static constexpr std::size_t lanes = V::lanes, block = 8;
    /// Tokens of a block as lanes.
    static constexpr std::size_t row = lanes > block ? lanes : block;

  public:
    using Arguments = HeinsenArguments<T>;
    static constexpr double exact_bound = sizeof(T) == 4 ? 5e-6 : 1e-13;
    static constexpr const char *exact_bound_kind = "relative to weighted |v|, 1000 tokens";

    static void run(const Arguments &a) {
        if (a.q && a.k)
            Heinsen(a).template all<true, true>();
        else if (a.k)
            Heinsen(a).template all<true, false>();
        else if (a.q)
            Heinsen(a).template all<false, true>();
    }

  private:
    FS_INLINE explicit Heinsen(const Arguments &a)
        : a_(a), dk_(heinsen_padded(a.d_k)), dv_(heinsen_padded(a.d_v)), m_(a.state), z_(m_ + dk_),
          A_(z_ + dk_), p_(a.scratch), w_(p_ + dk_ * row), top_(w_ + dk_ * block) {}

    template <bool Keys, bool Queries> void all() {
        std::size_t t = 0;
        for (; t + block <= a_.n; t += block) {
            if (find_top<block, Keys>(t) || !Queries || !Keys)
                tokens<block, Keys, Queries>(t);
            else
                for (std::size_t i = 0; i < block; ++i)
                    one<Keys, Queries>(t + i);
        }
        for (; t < a_.n; ++t)
            one<Keys, Queries>(t);
    }
    template <bool Keys, bool Queries> void one(std::size_t t) {
        find_top<1, Keys>(t);
        tokens<1, Keys, Queries>(t);
    }

    static FS_INLINE V load(const T *from, std::size_t at, std::size_t n, T fill) {
        return at + lanes <= n ? V::load(from + at)
               : at < n        ? V::load_n(from + at, n - at, fill)
                               : V::set(fill);
    }

    /// Maxima with B more tokens; whether none of them rises by more than 16.
    template <int B, bool Keys> FS_INLINE bool find_top(std::size_t t) {
        if constexpr (!Keys)
            return true;
        V far = V::set(0);
        for (std::size_t i = 0; i < dk_; i += lanes) {
            const V before = V::load(m_ + i);
            V top = before;
            for (std::size_t u = 0; u < B; ++u)
                top = V::max(top, load(a_.k + (t + u) * a_.d_k, i, a_.d_k, heinsen_lowest<T>));
            top.store(top_ + i);
            far = V::max(far, V::greater(top, before + V::set(16)));
        }
        return !(V::reduce_max(far) > 0);
    }

    template <int B, bool Keys, bool Queries> FS_INLINE void tokens(std::size_t t) {
        if constexpr (Keys)
            rise();
        if constexpr (Queries)
            for (std::size_t u = 0; u < B; ++u)
                weigh_query(a_.q + (t + u) * a_.d_k, w_ + u * dk_, scale_ + u);
        if constexpr (Keys)
            weigh_keys<B>(t);
        if constexpr (Keys && Queries)
            scores<B>();
        if constexpr (Queries)
            for (std::size_t u = 0; u < B; ++u)
                scale_[u] = T(1) / scale_[u];
        for (std::size_t j = 0; j < a_.d_v;) {
            constexpr int wide = B == 1 ? 4 : 1;
            if (B == 1 && j + wide * lanes <= a_.d_v) {
                columns<B, wide, Keys, Queries>(t, j);
                j += wide * lanes;
            } else {
                columns<B, 1, Keys, Queries>(t, j);
                j += lanes;
            }
        }
        if constexpr (Keys)
            add_weights<B>();
    }

    /// Brings the state to the new maxima.
    FS_INLINE void rise() {
        V risen = V::set(0);
        for (std::size_t i = 0; i < dk_; i += lanes)
            risen = V::max(risen, V::greater(V::load(top_ + i), V::load(m_ + i)));
        if (__builtin_expect(V::reduce_max(risen) > 0, 0))
            rescale();
        for (std::size_t i = 0; i < dk_; i += lanes)
            V::load(top_ + i).store(m_ + i);
    }
    __attribute__((noinline)) void rescale() {
        const ExactWeight<V, false> weight{T(0)};
        for (std::size_t i = 0; i < dk_; i += lanes) {
            T factor[lanes];
            const V f = weight(V::load(m_ + i) - V::load(top_ + i));
            f.store(factor);
            (V::load(z_ + i) * f).store(z_ + i);
            for (std::size_t l = 0; l < lanes; ++l) {
                T *A = A_ + (i + l) * dv_;
                if (factor[l] != 1)
                    for (std::size_t j = 0; j < dv_; j += lanes)
                        (V::load(A + j) * V::set(factor[l])).store(A + j);
            }
        }
    }

    /// w = exp(q + m - c), total = sum of w z.
    FS_INLINE void weigh_query(const T *q, T *w, T *total) {
        const V low = V::set(heinsen_lowest<T> / 16);
        V c = V::set(4 * static_cast<double>(heinsen_lowest<T>) / 2);
        for (std::size_t i = 0; i < dk_; i += lanes)
            c = V::max(c, V::max(low, load(q, i, a_.d_k, heinsen_lowest<T>)) + V::load(m_ + i));
        const V highest = V::set(V::reduce_max(c));
        const ExactWeight<V, false> weight{T(0)};
        V sum = V::set(0);
        for (std::size_t i = 0; i < dk_; i += lanes) {
            const TwoSum<V> e(V::max(low, load(q, i, a_.d_k, heinsen_lowest<T>)), V::load(m_ + i));
            const V x = weight((e.sum - highest) + e.error);
            x.store(w + i);
            sum = V::fma(x, V::load(z_ + i), sum);
        }
        *total = static_cast<T>(V::reduce_add(sum));
    }

    /// p[i][u] = exp(k_ui - m_i).
    template <int B> FS_INLINE void weigh_keys(std::size_t t) {
        const ExactWeight<V, false> weight{T(0)};
        for (std::size_t u = 0; u < B; ++u)
            for (std::size_t i = 0; i < dk_; i += lanes) {
                T p[lanes];
                weight(load(a_.k + (t + u) * a_.d_k, i, a_.d_k, heinsen_lowest<T>) -
                       V::load(m_ + i))
                    .store(p);
                for (std::size_t l = 0; l < lanes; ++l)
                    p_[(i + l) * row + u] = p[l];
            }
    }

    /// score[t][u] = sum_i w_ti p_ui for u <= t, and their sums onto the totals.
    template <int B> FS_INLINE void scores() {
        constexpr std::size_t used = B == 1 ? 1 : row / lanes;
        for (std::size_t t = 0; t < B; ++t) {
            V sum[used];
            for (V &s : sum)
                s = V::set(0);
            for (std::size_t i = 0; i < a_.d_k; ++i)
                for (std::size_t r = 0; r < used; ++r)
                    sum[r] =
                        V::fma(V::set(w_[t * dk_ + i]), V::load(p_ + i * row + r * lanes), sum[r]);
            for (std::size_t r = 0; r < used; ++r)
                sum[r].store(score_[t] + r * lanes);
            for (std::size_t u = 0; u <= t; ++u)
                scale_[t] += score_[t][u];
        }
    }

    /// Some columns of A and of the answers.
    template <int B, int N, bool Keys, bool Queries>
    FS_INLINE void columns(std::size_t t, std::size_t j) {
        V v[B][N], y[B][N];
        for (int u = 0; u < B; ++u)
            for (int n = 0; n < N; ++n) {
                const std::size_t at = j + static_cast<std::size_t>(n) * lanes;
                y[u][n] = V::set(0);
                if constexpr (Keys)
                    v[u][n] =
                        load(a_.v + (t + static_cast<std::size_t>(u)) * a_.d_v, at, a_.d_v, 0);
            }
        for (std::size_t i = 0; i < a_.d_k; ++i)
            for (int n = 0; n < N; ++n) {
                T *to = A_ + i * dv_ + j + static_cast<std::size_t>(n) * lanes;
                const V a = V::load(to);
                V added = V::set(0);
                for (int u = 0; u < B; ++u) {
                    if constexpr (Queries)
                        y[u][n] =
                            V::fma(V::set(w_[static_cast<std::size_t>(u) * dk_ + i]), a, y[u][n]);
                    if constexpr (Keys)
                        added = V::fma(V::set(p_[i * row + static_cast<std::size_t>(u)]), v[u][n],
                                       added);
                }
                if constexpr (Keys)
                    (a + added).store(to);
            }
        if constexpr (Queries)
            answer<B, N, Keys>(t, j, v, y);
    }
    template <int B, int N, bool Keys>
    FS_INLINE void answer(std::size_t t, std::size_t j, V (&v)[B][N], V (&y)[B][N]) {
        for (int u = 0; u < B; ++u)
            for (int n = 0; n < N; ++n) {
                const std::size_t at = j + static_cast<std::size_t>(n) * lanes;
                if constexpr (Keys)
                    for (int s = 0; s <= u; ++s)
                        y[u][n] = V::fma(V::set(score_[u][s]), v[s][n], y[u][n]);
                T *to = a_.y + (t + static_cast<std::size_t>(u)) * a_.d_v + at;
                const V result = y[u][n] * V::set(scale_[u]);
                if (at + lanes <= a_.d_v)
                    result.store(to);
                else
                    result.store_n(to, a_.d_v - at);
            }
    }

    /// z += p, after the queries have read it.
    template <int B> FS_INLINE void add_weights() {
        for (std::size_t i = 0; i < a_.d_k; ++i) {
            T sum = 0;
            for (std::size_t u = 0; u < B; ++u)
                sum += p_[i * row + u];
            z_[i] += sum;
        }
    }

    const Arguments &a_;
    const std::size_t dk_, dv_;
    T *const m_, *const z_, *const A_, *const p_, *const w_, *const top_;
    T scale_[block], score_[block][row];
};

} // namespace fastsoftmax
