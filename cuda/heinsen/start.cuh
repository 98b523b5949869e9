// Fills states of Heinsen attention.
#pragma once
#include "cuda/heinsen/call.cuh"

namespace fastsoftmax::cuda {

/// A block for each head. State: 2 rows of weights and A, or 3 and M, S and its excess.
template <class T>
__global__ void heinsen_start(T *states, int rows, int columns, int d_k, int d_v, bool zeros,
                              bool log_values) {
    const int head = log_values ? 3 : 2, size = rows * (head + (log_values ? 3 : 1) * columns);
    T *state = states + std::int64_t{blockIdx.x} * size;
    for (int at = threadIdx.x; at < size; at += blockDim.x) {
        const bool maximum = at < rows, element = at >= head * rows;
        const int plane = (at - head * rows) / (rows * columns), mixed = log_values ? 1 : 0;
        const int i = element ? (at - head * rows) / columns % rows : at % rows;
        const bool seen = zeros && i < d_k && (!element || (at - head * rows) % columns < d_v);
        const bool sum = element ? plane == mixed : at / rows == 1;
        if (maximum || (log_values && element && plane == 0))
            state[at] = seen ? T(0) : heinsen_lowest<T>;
        else
            state[at] = T(seen && sum);
    }
}

} // namespace fastsoftmax::cuda
