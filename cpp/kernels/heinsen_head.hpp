// What a chunk and a single token of the Heinsen kernel work on: one head, its state, its scratch.
#pragma once
#include "kernels/heinsen_block.hpp"
#include "kernels/heinsen_weights.hpp"

namespace fastsoftmax {

template <class V> struct HeinsenHead {
    using T = typename V::scalar;
    static constexpr std::size_t lanes = V::lanes, side = heinsen_block;

    FS_INLINE explicit HeinsenHead(const HeinsenArguments<T> &arguments)
        : a(arguments), rows(heinsen_padded(a.d_k)), S(a.scratch), V_(S + heinsen_block_size),
          Y(V_ + heinsen_block_size), p(Y + heinsen_block_size), W(p + heinsen_block_size),
          P(W + rows * side), weights(a.mz, P + rows * side, a.d_k) {}

    /// The panel of A that column j, a multiple of 16, begins.
    FS_INLINE T *panel(std::size_t j) const { return a.A + j * rows; }

    /// Brings A to new maxima.
    __attribute__((noinline)) void rescale(const T *factor) {
        for (std::size_t i = 0; i < a.d_k; ++i)
            if (factor[i] != 1)
                for (std::size_t j = a.first; j < a.last; j += side)
                    for (T *A = panel(j) + i * side, *end = A + side; A < end; A += lanes)
                        (V::load(A) * V::set(factor[i])).store(A);
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
    /// queries and of keys.
    T *const S, *const V_, *const Y, *const p, *const W, *const P;
    HeinsenWeights<V> weights;
};

} // namespace fastsoftmax
