// Launcher of `topk`: see api/rows.hpp for what all launchers promise.
#pragma once
#include "cuda/api/rows.hpp"

namespace fastsoftmax::cuda {

/// The k largest of scale * x [+ mask] of each row in descending order, equal ones by place, and
/// their probabilities in the softmax of the whole row.
struct TopkArguments {
    Dtype dtype; ///< of x and p
    int dims;    ///< how many of `extent` there are, 0 for one row
    std::int64_t extent[max_outer];
    std::int64_t n; ///< elements of a row, below 2^31
    const void *x;
    Strided x_at;
    Mask mask_kind;
    const void *mask;      ///< bytes, 0 or not; or what is added, float64 for float64, else float32
    Strided mask_at;       ///< 0 where it is broadcast
    double masked_at_most; ///< an added number up to this one takes its element out
    double scale;
    int k;               ///< 1 <= k <= n and at most topk_most
    void *p;             ///< [rows][k] without gaps
    std::int64_t *index; ///< [rows][k]: places in the row
    Stream stream;
};
inline constexpr int topk_most = 64;

Kernels topk_kernels();
int launch_topk(const TopkArguments &arguments);

} // namespace fastsoftmax::cuda
