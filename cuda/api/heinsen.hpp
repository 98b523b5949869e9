// Launchers of Heinsen attention: see api/rows.hpp for what all launchers promise,
// kernels/heinsen/attention.hpp for formula, error and edges.
#pragma once
#include "cuda/api/rows.hpp"

#include "common/heinsen_layout.hpp"

namespace fastsoftmax::cuda {

/// Elements of a head's state on a device, whose layout is not the CPU's: m and z of each key
/// feature, then a row of A for each; both widths in whole sixteens. Where values are logarithms:
/// m, z and what it is too large by, then M, S and what that is too large by
/// (kernels/heinsen/log_values.hpp). The largest number where there are more.
constexpr std::int64_t heinsen_device_size(int d_k, int d_v, bool log_values) {
    const auto padded = [](int d) {
        return std::uint64_t{heinsen_padded(d < 0 ? 0 : std::size_t(d))};
    };
    // without a sign it can't wrap: 2^31 * (3 + 3 * 2^31) < 2^64
    const std::uint64_t size = padded(d_k) * (log_values ? 3 + 3 * padded(d_v) : 2 + padded(d_v));
    return size <= INT64_MAX ? static_cast<std::int64_t>(size) : INT64_MAX;
}

/// The most elements that a head's state may have on a device: kernels count them in int.
inline constexpr std::int64_t most_heinsen_elements = 0x7fffffff;

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
