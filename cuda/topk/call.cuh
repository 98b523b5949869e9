// What the top-k kernel takes, and where a row is.
#pragma once
#include "cuda/api/topk.hpp"
#include "cuda/device/compat.cuh"

namespace fastsoftmax::cuda {

inline constexpr int topk_threads = 256, topk_warps = 8;

/// What a row ranks: x itself, or x with a scale and perhaps a mask.
enum class Ranked { plain, adapted };

struct TopkCall {
    TopkArguments a;
    std::int64_t rows;
    unsigned threads; ///< of a row: 32 or all
};

/// Where a row is, in elements.
struct TopkOffsets {
    std::int64_t x = 0, mask = 0;

    FS_DEVICE TopkOffsets(const TopkArguments &a, std::int64_t row) {
#pragma unroll
        for (int d = max_outer - 1; d >= 0; --d) // by constants, or the parameters are copied
            if (d < a.dims) {
                const std::int64_t i = d ? row % a.extent[d] : row;
                x += i * a.x_at.outer[d];
                mask += i * a.mask_at.outer[d];
                row /= a.extent[d];
            }
    }
};

} // namespace fastsoftmax::cuda
