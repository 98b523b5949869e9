// What a chunk and a single token of the Heinsen kernel work on: one head, its state, its scratch.
#pragma once
#include "kernels/heinsen/block_product.hpp"
#include "kernels/heinsen/feature_weights.hpp"

namespace fastsoftmax {

template <class V> struct HeinsenHead {
    using T = typename V::scalar;
    static constexpr std::size_t lanes = V::lanes, side = heinsen_block;

    FS_INLINE explicit HeinsenHead(const HeinsenArguments<T> &arguments)
        : a(arguments), rows(heinsen_padded(a.d_k)), S(a.scratch), V_(S + heinsen_block_size),
          Y(V_ + heinsen_block_size), p(Y + heinsen_block_size), W(p + heinsen_block_size),
          P(W + rows * side), Q(P + rows * side), K(Q + rows * side),
          weights(a.weights, K + rows * side, a.d_k), waiting(a.weights + 2 * rows),
          waiting_p(waiting + side) {}

    /// The panel of A that column j, a multiple of 16, begins; the values of its waiting tokens.
    FS_INLINE T *panel(std::size_t j) const {
        return a.A + j / side * heinsen_panel_size(a.d_k, false);
    }
    FS_INLINE T *waiting_v(std::size_t j) const { return panel(j) + rows * side; }
    /// Tokens that wait. The number lies in memory of the caller, who may have written anything
    /// there: no value of it, NaN included, leads beyond the state.
    FS_INLINE std::size_t count() const {
        const T n = *waiting;
        return n > 0 ? static_cast<std::size_t>(n < heinsen_waiting ? n : heinsen_waiting) : 0;
    }

    /// Brings the state to the maxima that were found.
    FS_INLINE void rise(HeinsenRise by) {
        if (__builtin_expect(by != HeinsenRise::none, 0))
            rescale();
    }

    /// Adds the waiting tokens to A and z, all at once: A takes one rounding.
    __attribute__((noinline)) void settle() {
        if (count() == 0)
            return;
        for (T *p = waiting_p + count() * rows, *end = waiting_p + heinsen_waiting * rows; p < end;
             p += lanes)
            V::set(0).store(p);
        for (std::size_t j = a.first; j < a.last; j += side) {
            T *v = waiting_v(j);
            for (std::size_t c = count() * side; c < heinsen_waiting * side; c += lanes)
                V::set(0).store(v + c);
            for (std::size_t c = 0; c < side; c += lanes)
                add_waiting(panel(j) + c, v + c);
        }
        for (std::size_t i = 0; i < rows; i += side)
            weights.add(i, waiting_p + i, heinsen_waiting, rows);
        *waiting = 0;
    }

    /// n tokens from t on as `tokens` whole rows.
    FS_INLINE HeinsenRows<T> queries(std::size_t t, std::size_t n, std::size_t tokens) const {
        return of_tokens(a.q, t, n, tokens, Q);
    }
    FS_INLINE HeinsenRows<T> keys(std::size_t t, std::size_t n, std::size_t tokens) const {
        return of_tokens(a.k, t, n, tokens, K);
    }

    /// Columns j on of answer t.
    FS_INLINE void put(std::size_t t, std::size_t j, V y) const {
        if (j + lanes <= a.d_v)
            y.store(a.y + t * a.d_v + j);
        else if (j < a.d_v)
            y.store_n(a.y + t * a.d_v + j, a.d_v - j);
    }

    const HeinsenArguments<T> &a;
    const std::size_t rows;
    /// Scores, values and answers of a chunk; keys' weights before they are transposed; weights of
    /// queries and of keys; queries and keys where they have to be copied.
    T *const S, *const V_, *const Y, *const p, *const W, *const P, *const Q, *const K;
    HeinsenWeights<V> weights;
    /// How many tokens wait, and their weights.
    T *const waiting, *const waiting_p;

  private:
    __attribute__((noinline)) void rescale() {
        T *const factor = P;
        weights.rise(factor);
        for (std::size_t u = 0; u < count(); ++u)
            for (std::size_t i = 0; i < rows; i += lanes)
                (V::load(waiting_p + u * rows + i) * V::load(factor + i))
                    .store(waiting_p + u * rows + i);
        for (std::size_t i = 0; i < a.d_k; ++i)
            if (factor[i] != 1)
                for (std::size_t j = a.first; j < a.last; j += side)
                    for (T *A = panel(j) + i * side, *end = A + side; A < end; A += lanes)
                        (V::load(A) * V::set(factor[i])).store(A);
    }

    FS_INLINE HeinsenRows<T> of_tokens(const T *from, std::size_t t, std::size_t n,
                                       std::size_t tokens, T *space) const {
        if (!from)
            return {};
        return whole_rows<V>(from + t * a.d_k, n, a.d_k, tokens, 0, rows, space, -__builtin_inf());
    }

    /// One vector of columns. Two pointers and three distances reach the weights of 8 tokens
    /// without arithmetic in between.
    FS_INLINE void add_waiting(T *A, const T *values) const {
        V v[heinsen_waiting];
        for (std::size_t u = 0; u < heinsen_waiting; ++u)
            v[u] = V::load(values + u * side);
        static_assert(heinsen_waiting == 8);
        const T *p = waiting_p, *q = p + 4 * rows;
        const std::size_t one = rows, two = 2 * rows, three = 3 * rows;
        for (T *const end = A + a.d_k * side; A < end; A += side, ++p, ++q) {
            V x = V::set(p[0]) * v[0], y = V::set(q[0]) * v[4];
            x = V::fma(V::set(p[one]), v[1], x), y = V::fma(V::set(q[one]), v[5], y);
            x = V::fma(V::set(p[two]), v[2], x), y = V::fma(V::set(q[two]), v[6], y);
            x = V::fma(V::set(p[three]), v[3], x), y = V::fma(V::set(q[three]), v[7], y);
            (V::load(A) + (x + y)).store(A);
        }
    }
};

} // namespace fastsoftmax
