// What the Heinsen kernel takes, and how a state lies in memory.
//
// A state begins with what weights need: m and z of each key feature, how many tokens are waiting
// to be added (see token.hpp), and their weights. Then A in panels of 16 columns: panel j /
// 16 holds column j % 16 of row i at i * 16, and after its rows the values of the waiting tokens.
// So the kernel's blocks are contiguous, and a wide A doesn't crowd into a few sets of the cache.
#pragma once
#include "common/config.hpp"
#include "kernels/arguments.hpp"

#include <cstdint>

namespace fastsoftmax {

/// Side of a block: features, columns and tokens of a chunk come in so many.
inline constexpr std::size_t heinsen_block = 16, heinsen_block_size = 256;

constexpr std::size_t heinsen_padded(std::size_t d) {
    return (d + heinsen_block - 1) / heinsen_block * heinsen_block;
}

/// Tokens that may wait.
inline constexpr std::size_t heinsen_waiting = 8;

/// Elements before A: m, z, the number of waiting tokens, their weights.
constexpr std::size_t heinsen_weights_size(std::size_t d_k) {
    return heinsen_padded(d_k) * (2 + heinsen_waiting) + heinsen_block;
}
/// Elements of a panel. In a state that takes log v: the maxima M_ij, the sums S_ij, and what those
/// are too large by (log_values.hpp).
constexpr std::size_t heinsen_panel_size(std::size_t d_k, bool log_values) {
    return heinsen_block *
           (log_values ? 3 * heinsen_padded(d_k) : heinsen_padded(d_k) + heinsen_waiting);
}
/// Elements of a state whose sizes heinsen_size (the C++ API) has found to be countable.
constexpr std::size_t heinsen_state_size(std::size_t d_k, std::size_t d_v, bool log_values) {
    return heinsen_weights_size(d_k) +
           heinsen_padded(d_v) / heinsen_block * heinsen_panel_size(d_k, log_values);
}

/// Stands for -inf where a difference has to stay a number.
template <class T> inline constexpr T heinsen_lowest = sizeof(T) == 4 ? T(-1e38) : T(-1e300);

/// Elements of scratch space.
constexpr std::size_t heinsen_scratch_size(std::size_t d_k) {
    return heinsen_padded(d_k) * (4 * heinsen_block + 1) + 4 * heinsen_block_size;
}

/// The first whole cache line from p on, in no more than heinsen_line elements. States and scratch
/// space that begin with one have no vector across two of them, which would cost two accesses.
inline constexpr std::size_t heinsen_line = 16;
template <class T> T *heinsen_aligned(T *p) {
    constexpr std::uintptr_t line = 64;
    return p + (line - reinterpret_cast<std::uintptr_t>(p) % line) % line / sizeof(T);
}

/// Adds k[t], v[t] to the state (where k is given) and answers q[t] in y[t] (where q is given);
/// with both, query t sees what was there and tokens 0..t. Rows are contiguous and neighbours. With
/// n = 0, no token is left waiting.
template <class T> struct HeinsenArguments {
    static constexpr const char *op = "heinsen";
    using scalar = T;
    /// The state in its two parts, so that threads may share a head by panels of A.
    T *weights, *A, *scratch;
    const T *q, *k, *v;
    T *y;
    std::size_t n, d_k, d_v;
    /// The columns to work on: `first` is a multiple of heinsen_block, and so is `last`, or it is
    /// d_v.
    std::size_t first, last;
    /// Heads that follow one another, with states of so many elements. One call for all saves what
    /// a call costs, a tenth of a token.
    std::size_t heads = 1, state_size = 0;
};

/// Calls f with what belongs to each head. A single one is spared the copy, whose loads would wait
/// for the stores that made it.
template <class Arguments, class F> FS_INLINE void each_head(const Arguments &all, const F &f) {
    if (all.heads == 1)
        return f(all);
    Arguments a = all;
    const auto move = [](auto *&array, std::size_t elements) __attribute__((always_inline)) {
        if (array)
            array += elements;
    };
    for (std::size_t left = a.heads; left-- > 0;) {
        f(a);
        a.weights += a.state_size, a.A += a.state_size;
        move(a.q, a.n * a.d_k), move(a.k, a.n * a.d_k);
        move(a.v, a.n * a.d_v), move(a.y, a.n * a.d_v);
    }
}

/// The same where v are logarithms, and y, too, if log_output says so.
template <class T> struct HeinsenLogArguments : HeinsenArguments<T> {
    static constexpr const char *op = "heinsen_log";
    bool log_output;
};

} // namespace fastsoftmax
