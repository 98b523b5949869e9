// How a Heinsen state lies in memory, and the numbers that stand for nothing in it. Python has them
// from here, too (_core.heinsen_layout).
//
// A state begins with what weights need: m and z of each key feature, how many tokens are waiting
// to be added (see kernels/heinsen/token.hpp), and their weights. Then A in panels of 16 columns:
// panel j / 16 holds column j % 16 of row i at i * 16, and after its rows the values of the waiting
// tokens. So the kernel's blocks are contiguous, and a wide A doesn't crowd into a few sets of the
// cache.
#pragma once
#include "common/config.hpp"
#include <cstddef>
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
/// are too large by (kernels/heinsen/log_values.hpp).
constexpr std::size_t heinsen_panel_size(std::size_t d_k, bool log_values) {
    return heinsen_block *
           (log_values ? 3 * heinsen_padded(d_k) : heinsen_padded(d_k) + heinsen_waiting);
}
/// Elements of a state whose sizes heinsen_size (the C++ API) has found to be countable.
constexpr std::size_t heinsen_state_size(std::size_t d_k, std::size_t d_v, bool log_values) {
    return heinsen_weights_size(d_k) +
           heinsen_padded(d_v) / heinsen_block * heinsen_panel_size(d_k, log_values);
}

/// Stands for -inf where a difference has to stay a number: the maximum of what was never seen.
template <class T> inline constexpr T heinsen_lowest = sizeof(T) == 4 ? T(-1e38) : T(-1e300);
/// What queries, and values given as logarithms, are raised to: the sum with a maximum of nothing
/// must not lose to it.
template <class T> inline constexpr T heinsen_floor = heinsen_lowest<T> / 16;
/// Results from here down are logarithms of nothing, -inf.
template <class T> inline constexpr T heinsen_nothing = heinsen_lowest<T> / 64;

/// Elements of scratch space.
constexpr std::size_t heinsen_scratch_size(std::size_t d_k) {
    return heinsen_padded(d_k) * (4 * heinsen_block + 1) + 4 * heinsen_block_size;
}

/// The first whole cache line from p on, in no more than heinsen_line elements. States and scratch
/// space that begin with one have no vector across two of them, which would cost two accesses.
inline constexpr std::size_t heinsen_line = 16, heinsen_line_bytes = 64;
template <class T> T *heinsen_aligned(T *p) {
    constexpr std::uintptr_t line = heinsen_line_bytes;
    return p + (line - reinterpret_cast<std::uintptr_t>(p) % line) % line / sizeof(T);
}

} // namespace fastsoftmax
