// Fills states of Heinsen attention.
#pragma once
#include "heinsen_call.cuh"

namespace fastsoftmax::cuda {

/// A block for each head.
template <class T>
__global__ void heinsen_start(T *states, int rows, int columns, int d_k, int d_v, bool zeros) {
    T *state = states + std::int64_t{blockIdx.x} * (rows * (2 + columns));
    for (int at = threadIdx.x; at < rows * (2 + columns); at += blockDim.x) {
        const bool seen = zeros && at % rows < d_k;
        const int i = (at - 2 * rows) / columns, j = (at - 2 * rows) % columns;
        state[at] = at < rows       ? (seen ? T(0) : heinsen_lowest<T>)
                    : at < 2 * rows ? T(seen)
                                    : T(zeros && i < d_k && j < d_v);
    }
}

} // namespace fastsoftmax::cuda
