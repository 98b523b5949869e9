// What the Heinsen kernel takes: one head, its state, and tokens or queries or both.
#pragma once
#include "kernels/arguments.hpp"

namespace fastsoftmax {

/// What a kernel needs of the rows of a state: both dimensions are rounded up to this.
inline constexpr std::size_t heinsen_padding = 16;

constexpr std::size_t heinsen_padded(std::size_t d) {
    return (d + heinsen_padding - 1) / heinsen_padding * heinsen_padding;
}

/// Elements of a state: m and z of each key feature, then a row of A for each.
constexpr std::size_t heinsen_state_size(std::size_t d_k, std::size_t d_v) {
    return heinsen_padded(d_k) * (2 + heinsen_padded(d_v));
}

/// Stands for -inf where a difference has to stay a number.
template <class T> inline constexpr T heinsen_lowest = sizeof(T) == 4 ? T(-1e38) : T(-1e300);

/// Elements of scratch space.
constexpr std::size_t heinsen_scratch_size(std::size_t d_k) { return heinsen_padded(d_k) * 32; }

/// Adds k[t], v[t] to the state (where k is given) and answers q[t] in y[t] (where q is given);
/// with both, query t sees what was there and tokens 0..t. Rows are contiguous and neighbours.
template <class T> struct HeinsenArguments {
    static constexpr const char *op = "heinsen";
    using scalar = T;
    T *state, *scratch;
    const T *q, *k, *v;
    T *y;
    std::size_t n, d_k, d_v;
};

} // namespace fastsoftmax
