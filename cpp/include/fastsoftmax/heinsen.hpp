// Heinsen attention: softmax attention of exp features with a state of constant size (arXiv
// 2404.05843). See kernels/heinsen/attention.hpp for formula and error.
#pragma once
#include "fastsoftmax/fastsoftmax.hpp"

namespace fastsoftmax {

/// Elements that the state of one head takes: one that mixes values, or one that mixes values given
/// as logarithms. Any memory will do, but states are fastest at multiples of 64 bytes, where no
/// vector of theirs lies across two cache lines. Throws std::length_error where no memory has so
/// many.
std::size_t heinsen_size(std::size_t d_k, std::size_t d_v, bool log_values = false);

/// Makes a state of heinsen_size(d_k, d_v, log_values) elements empty, or eq. 7 of the paper: one
/// token of key 0 and value 1.
template <class T>
void heinsen_start(T *state, std::size_t d_k, std::size_t d_v, bool zeros = false,
                   bool log_values = false);

/// Contiguous arrays of `heads` heads: q, k [heads, n, d_k] and v, y [heads, n, d_v].
template <class T> struct HeinsenTokens {
    const T *q = nullptr, *k = nullptr, *v = nullptr;
    T *y = nullptr;
    std::size_t heads = 1, n = 0, d_k = 0, d_v = 0;
    /// Whether v are logarithms, as the states must have been started for; and whether y shall be,
    /// which only they can do.
    bool log_values = false, log_output = false;
};

/// For each head and token in turn: adds k, v to the head's state where there is k, then answers q
/// in y where there is q. Threads share heads, and the columns of v where heads are fewer; bits
/// don't depend on them. Tokens that come one by one wait in the state until several are together;
/// n = 0 adds them. Throws std::invalid_argument for an isa that can't run, and as all operations
/// do; the states are as they were then.
template <class T>
void heinsen(T *states, const HeinsenTokens<T> &tokens, const Options &options = {});

} // namespace fastsoftmax
