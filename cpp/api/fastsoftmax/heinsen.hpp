// Heinsen attention: softmax attention of exp features with a state of constant size (arXiv
// 2404.05843). See kernels/heinsen.hpp for formula and error.
#pragma once
#include "fastsoftmax/fastsoftmax.hpp"

namespace fastsoftmax {

/// Elements that the state of one head takes.
std::size_t heinsen_size(std::size_t d_k, std::size_t d_v);

/// Makes a state of heinsen_size(d_k, d_v) elements empty, or eq. 7 of the paper: one token of key
/// 0 and value 1.
template <class T>
void heinsen_start(T *state, std::size_t d_k, std::size_t d_v, bool zeros = false);

/// Contiguous arrays of `heads` heads: q, k [heads, n, d_k] and v, y [heads, n, d_v].
template <class T> struct HeinsenTokens {
    const T *q = nullptr, *k = nullptr, *v = nullptr;
    T *y = nullptr;
    std::size_t heads = 1, n = 0, d_k = 0, d_v = 0;
};

/// For each head and token in turn: adds k, v to the head's state where there is k, then answers q
/// in y where there is q. Throws std::invalid_argument for an isa that can't run.
template <class T>
void heinsen(T *states, const HeinsenTokens<T> &tokens, const Options &options = {});

} // namespace fastsoftmax
