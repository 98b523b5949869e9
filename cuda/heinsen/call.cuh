// What the Heinsen kernels take, and what a block keeps in shared memory.
#pragma once
#include "cuda/api/heinsen.hpp"
#include "cuda/device/load_floats.cuh"

#include "common/heinsen.hpp"
#include "common/heinsen_layout.hpp"

namespace fastsoftmax::cuda {

inline constexpr int heinsen_threads = 256, heinsen_warps = 8;
inline constexpr int heinsen_chunk = 8; ///< tokens at a time, one for each warp

template <class T> struct HeinsenCall {
    const T *from;
    T *to;
    const T *q, *k, *v;
    T *y;
    std::int64_t n;
    int d_k, d_v, rows, width, columns; ///< of A, padded; columns that a block has
    std::int64_t tokens;                ///< tokens that a block has
    bool log_output;
};

/// Weights of one key feature for all tokens of a chunk.
template <class T> FS_DEVICE void load_tokens(const T *from, T (&to)[heinsen_chunk]) {
#pragma unroll
    for (int u = 0; u < heinsen_chunk; u += per_vector<T>)
        load_vector(from + u, to + u);
}

/// Of one head, in dynamic shared memory: everything of a key feature stands together for all
/// tokens of a chunk.
template <class T> struct HeinsenShared {
    T *p, *w;          ///< [d_k][tokens]: weights of keys and of queries, aligned to 16 bytes
    T *m, *z, *factor; ///< [d_k], factor: what the state is multiplied by

    FS_DEVICE HeinsenShared(T *memory, int d_k)
        : p(memory), w(p + heinsen_chunk * d_k), m(w + heinsen_chunk * d_k), z(m + d_k),
          factor(z + d_k) {}
    static constexpr std::size_t elements(int d_k) {
        return static_cast<std::size_t>(3 + 2 * heinsen_chunk) * static_cast<std::size_t>(d_k);
    }
};

} // namespace fastsoftmax::cuda
