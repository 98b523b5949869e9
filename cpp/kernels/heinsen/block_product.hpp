// Products of blocks of 16 x 16, the loops of the Heinsen kernel that take most of its time. A
// left factor is a row of blocks, each row by row; what stands right of it has rows `stride` apart.
//
//   multiply     C = L R
//   add          C += L R for each block of L, all with the same R, one block
//   answer       Y = (W A + S V) * scale, scale for each row, S lower triangular and perhaps absent
//
// A tile of the sums stays in registers: 16 rows of one vector of 16 lanes, else 4 rows of two
// vectors. What is in C is added last, as one rounding of a large number hurts less than 16. An
// element of L is broadcast from memory, which AVX-512 does within the multiply-add: 17 loads for
// 16 of them, at the lowest number of instructions.
#pragma once
#include "kernels/heinsen/token_rows.hpp"

namespace fastsoftmax {

template <class V> class HeinsenBlock {
    using T = typename V::scalar;
    using Rows = HeinsenRows<T>;
    static constexpr std::size_t side = heinsen_block, lanes = V::lanes;
    static constexpr std::size_t rows = lanes == side ? 16 : 4, vectors = lanes == side ? 1 : 2;

  public:
    static FS_INLINE void multiply(T *C, const T *L, const T *R, std::size_t blocks) {
        each_tile([&](std::size_t r, std::size_t c) __attribute__((always_inline)) {
            Tile t;
            for (std::size_t b = 0; b < blocks; ++b)
                t.add(L + b * heinsen_block_size + r * side, R + b * heinsen_block_size + c, side);
            t.each([&](std::size_t u, std::size_t l, V x)
                       __attribute__((always_inline)) { x.store(C + (r + u) * side + c + l); });
        });
    }

    static __attribute__((noinline)) void add(T *C, const T *L, Rows R, std::size_t blocks) {
        for (std::size_t b = 0; b < blocks; ++b, C += heinsen_block_size, L += heinsen_block_size)
            each_tile([&](std::size_t r, std::size_t c) __attribute__((always_inline)) {
                Tile t;
                t.add(L + r * side, R.at + c, R.stride);
                t.each([&](std::size_t u, std::size_t l, V x) __attribute__((always_inline)) {
                    T *to = C + (r + u) * side + c + l;
                    (V::load(to) + x).store(to);
                });
            });
    }

    static __attribute__((noinline)) void answer(T *Y, std::size_t y_stride, const T *W, const T *A,
                                                 std::size_t blocks, const T *S, Rows values,
                                                 const T *scale) {
        each_tile([&](std::size_t r, std::size_t c) __attribute__((always_inline)) {
            Tile t;
            for (std::size_t b = 0; b < blocks; ++b)
                t.add(W + b * heinsen_block_size + r * side, A + b * heinsen_block_size + c, side);
            if (S)
                t.add_triangle(S + r * side, values.at + c, values.stride, r);
            t.each([&](std::size_t u, std::size_t l, V x) __attribute__((always_inline)) {
                (x * V::set(scale[r + u])).store(Y + (r + u) * y_stride + c + l);
            });
        });
    }

    /// to[c][r] = from[r][c].
    static __attribute__((noinline)) void transpose(T *__restrict to, const T *__restrict from) {
        for (std::size_t r = 0; r < side; ++r)
            for (std::size_t c = 0; c < side; ++c)
                to[c * side + r] = from[r * side + c];
    }

    /// to[r] = f over the lanes of v[r], one vector for each row, 8 or 16 of them; v is spent, and
    /// `to` has room for 16.
    template <std::size_t N, class F, class G>
    static FS_INLINE void fold(V (&v)[N], T *to, const F &f, const G &over_lanes) {
        if constexpr (N == 8 && FoldsEight<V>)
            V::fold_eight(v, f).store(to);
        else if constexpr (FoldsRows<V>)
            for (std::size_t r = 0; r < N; r += lanes)
                V::fold(v + r, f).store(to + r);
        else
            for (std::size_t r = 0; r < N; ++r)
                to[r] = static_cast<T>(over_lanes(v[r]));
    }

  private:
    template <class F> static FS_INLINE void each_tile(const F &f) {
        for (std::size_t r = 0; r < side; r += rows)
            for (std::size_t c = 0; c < side; c += vectors * lanes)
                f(r, c);
    }

    struct Tile {
        V sum[rows][vectors];

        FS_INLINE Tile() {
            each([](std::size_t, std::size_t, V &x)
                     __attribute__((always_inline)) { x = V::set(0); });
        }
        template <class F> FS_INLINE void each(const F &f) {
#pragma GCC unroll 16
            for (std::size_t u = 0; u < rows; ++u)
#pragma GCC unroll 2
                for (std::size_t n = 0; n < vectors; ++n)
                    f(u, n * lanes, sum[u][n]);
        }
        /// Column k of L times row k of R, for the rows from `first` on.
        FS_INLINE void add_outer(const T *L, const T *R, std::size_t first) {
            V right[vectors];
#pragma GCC unroll 2
            for (std::size_t n = 0; n < vectors; ++n)
                right[n] = V::load(R + n * lanes);
#pragma GCC unroll 16
            for (std::size_t u = 0; u < rows; ++u)
#pragma GCC unroll 2
                for (std::size_t n = 0; n < vectors; ++n)
                    if (u >= first)
                        sum[u][n] = V::fma(V::set(L[u * side]), right[n], sum[u][n]);
        }
        FS_INLINE void add(const T *L, const T *R, std::size_t stride) {
            for (std::size_t k = 0; k < side; ++k)
                add_outer(L + k, R + k * stride, 0);
        }
        /// The same where L[u][k] = 0 for k > row + u.
        FS_INLINE void add_triangle(const T *L, const T *R, std::size_t stride, std::size_t row) {
            for (std::size_t k = 0; k < row; ++k)
                add_outer(L + k, R + k * stride, 0);
#pragma GCC unroll 16
            for (std::size_t k = 0; k < rows; ++k)
                add_outer(L + row + k, R + (row + k) * stride, k);
        }
    };
};

} // namespace fastsoftmax
