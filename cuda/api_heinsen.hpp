// Launchers of Heinsen attention: see api.hpp for what all launchers promise, kernels/heinsen.hpp
// for formula, error and edges.
#pragma once
#include "api.hpp"

namespace fastsoftmax::cuda {

/// Elements of a head's state on a device, whose layout is not the CPU's: m and z of each key
/// feature, then a row of A for each; both widths in whole sixteens. Where values are logarithms:
/// m, z and what it is too large by, then M, S and what that is too large by
/// (kernels/heinsen_log.hpp).
constexpr std::int64_t heinsen_device_size(int d_k, int d_v, bool log_values) {
    const auto padded = [](std::int64_t d) { return (d + 15) / 16 * 16; };
    return padded(d_k) * (log_values ? 3 + 3 * padded(d_v) : 2 + padded(d_v));
}

/// For each head and token in turn: adds k, v to the head's state where there is k, then answers q
/// in y where there is q. Contiguous arrays: q, k [heads, n, d_k], v, y [heads, n, d_v]; states
/// of heinsen_device_size(d_k, d_v, log_values) elements a head. A causal prefill is one call with
/// q, k and v; without causality it is two, of k and v, then of q.
struct HeinsenArguments {
    Dtype dtype; ///< float32 or float64, of everything
    /// The states before; after, where there is k. They may be the same memory; where they aren't,
    /// more of the GPU takes part, and the padding of `to` is left as it is.
    const void *from;
    void *to;
    const void *q, *k, *v;
    void *y;
    std::int64_t heads, n;
    int d_k, d_v;
    bool log_values, log_output; ///< v, and y, are logarithms; log_output wants log_values
    Stream stream;
};

Kernels heinsen_kernels();
int launch_heinsen(const HeinsenArguments &arguments);
/// Makes states empty, or eq. 7 of the paper: one token of key 0 and value 1.
int launch_heinsen_start(Dtype dtype, void *states, std::int64_t heads, int d_k, int d_v,
                         bool zeros, bool log_values, Stream stream);

} // namespace fastsoftmax::cuda
