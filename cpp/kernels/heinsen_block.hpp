// Products of 16 x 16 blocks, the only loop of the Heinsen kernel that takes time:
//
//   C[r][c] += sum_k L[r][k] R[k][c],   all three row by row, over several neighbouring L and R
//
// A tile of the sums stays in registers: 16 rows of one vector of 16 lanes, else 4 rows of two
// vectors. What is in C is added last, as one rounding of a large number hurts less than 16. An
// element of L is broadcast from memory, which AVX-512 does within the multiply-add: 17 loads for
// 16 of them, at the lowest number of instructions.
#pragma once
#include "kernels/heinsen_arguments.hpp"

namespace fastsoftmax {

template <class V> struct HeinsenBlock {
    using T = typename V::scalar;
    static constexpr std::size_t side = heinsen_block, lanes = V::lanes;
    static constexpr std::size_t rows = lanes == side ? 16 : 4, vectors = lanes == side ? 1 : 2;

    /// C = or += L R.
    static __attribute__((noinline)) void multiply(T *C, const T *L, const T *R, std::size_t blocks,
                                                   bool add) {
        for (std::size_t r = 0; r < side; r += rows)
            for (std::size_t c = 0; c < side; c += vectors * lanes)
                tile(C + r * side + c, L + r * side, R + c, blocks, add);
    }

    /// to[c][r] = from[r][c].
    static __attribute__((noinline)) void transpose(T *__restrict to, const T *__restrict from) {
        for (std::size_t r = 0; r < side; ++r)
            for (std::size_t c = 0; c < side; ++c)
                to[c * side + r] = from[r * side + c];
    }

    /// to[r] = f over the lanes of v[r], one vector for each row; v is spent.
    template <class F, class G>
    static FS_INLINE void fold(V (&v)[side], T *to, const F &f, const G &over_lanes) {
        if constexpr (FoldsRows<V>)
            for (std::size_t r = 0; r < side; r += lanes)
                V::fold(v + r, f).store(to + r);
        else
            for (std::size_t r = 0; r < side; ++r)
                to[r] = static_cast<T>(over_lanes(v[r]));
    }

  private:
    static FS_INLINE void tile(T *C, const T *L, const T *R, std::size_t blocks, bool add) {
        V sum[rows][vectors];
#pragma GCC unroll 16
        for (std::size_t r = 0; r < rows; ++r)
#pragma GCC unroll 2
            for (std::size_t n = 0; n < vectors; ++n)
                sum[r][n] = V::set(0);
        for (; blocks > 0; --blocks, L += heinsen_block_size, R += heinsen_block_size)
            for (std::size_t k = 0; k < side; ++k) {
                V right[vectors];
#pragma GCC unroll 2
                for (std::size_t n = 0; n < vectors; ++n)
                    right[n] = V::load(R + k * side + n * lanes);
#pragma GCC unroll 16
                for (std::size_t r = 0; r < rows; ++r)
#pragma GCC unroll 2
                    for (std::size_t n = 0; n < vectors; ++n)
                        sum[r][n] = V::fma(V::set(L[r * side + k]), right[n], sum[r][n]);
            }
#pragma GCC unroll 16
        for (std::size_t r = 0; r < rows; ++r)
#pragma GCC unroll 2
            for (std::size_t n = 0; n < vectors; ++n) {
                T *to = C + r * side + n * lanes;
                (add ? V::load(to) + sum[r][n] : sum[r][n]).store(to);
            }
    }
};

} // namespace fastsoftmax
