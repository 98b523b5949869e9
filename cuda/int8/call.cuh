// What the int8 kernels take, and where a row's operands are.
#pragma once
#include "cuda/api/int8.hpp"
#include "cuda/device/compat.cuh"

namespace fastsoftmax::cuda {

inline constexpr unsigned int8_threads = 256;

struct Int8Call {
    Int8Arguments a;
    unsigned sections, rows; ///< so many times `rows` rows, each with parameters of their own
    unsigned lanes;          ///< threads of a row
};

struct Int8Offsets {
    std::int64_t x = 0, y = 0, mask = 0;

    FS_DEVICE Int8Offsets(const Int8Arguments &a, unsigned row) {
        if (a.dims <= 1) {
            add(a, 0, row);
            return;
        }
        unsigned rest = row;
#pragma unroll
        for (int d = max_outer - 1; d > 0; --d) // by constants, or the parameters are copied
            if (d < a.dims) {
                const auto extent = static_cast<unsigned>(a.extent[d]);
                add(a, d, rest % extent);
                rest /= extent;
            }
        add(a, 0, rest);
    }

  private:
    FS_DEVICE void add(const Int8Arguments &a, int d, std::int64_t i) {
        x += i * a.x_at.outer[d];
        y += i * a.y_at.outer[d];
        mask += i * a.mask_at.outer[d];
    }
};

} // namespace fastsoftmax::cuda
