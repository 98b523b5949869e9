// What the top-k kernel takes, and where a row is.
#pragma once
#include "api_topk.hpp"
#include "compat.cuh"

namespace fastsoftmax::cuda {

inline constexpr int topk_threads = 256, topk_warps = 8;

struct TopkCall {
    TopkArguments a;
    std::int64_t rows;
    unsigned threads; ///< of a row: 32 or all
};

template <class S> FS_DEVICE const S *row_of(const TopkArguments &a, std::int64_t row) {
    const S *x = static_cast<const S *>(a.x);
#pragma unroll
    for (int d = max_outer - 1; d >= 0; --d) // by constants, or the parameters are copied
        if (d < a.dims) {
            x += (d ? row % a.extent[d] : row) * a.x_at.outer[d];
            row /= a.extent[d];
        }
    return x;
}

} // namespace fastsoftmax::cuda
