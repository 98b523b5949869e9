// Softmax of long rows in one pass over the logits: blocks with maxima of their own, merged after.
//
// A row beyond L1 would be read twice, for its maximum and for its weights. Here each block takes
// both while it is in L1 and leaves a state (block_states.hpp). A last pass multiplies each block
// by its own factor, the last block first: it is still in cache. The next block and the lines of
// results are fetched ahead, and many results go past the cache, as in streamed_rows.hpp.
//
// For exp only: surrogates' weights relative to two maxima can't be compared. Any split of a row at
// the edges of blocks has these bits.
//
// Time against three passes that fetch ahead, AVX-512: 32 x 8192 0.82x, 8 x 32768 0.85x, 1 x 200000
// 0.87x; scaling the first block first costs 1.09x on 1 x 1048576. Rejected: blocks of half the
// size (0.97x to 1.05x); fetching half of the next row with the weights, for results past the cache
// (1.00x to 1.05x).
#pragma once
#include "kernels/arguments.hpp"
#include "kernels/block_states.hpp"
#include "kernels/past_cache.hpp"

namespace fastsoftmax {

template <class V> class LongRows {
    using T = typename V::scalar;
    static constexpr std::size_t longest_past_cache = 16384;

  public:
    /// Where logits and results together leave an L1 cache of 48 KiB.
    static constexpr std::size_t shortest = 24576 / sizeof(T);

    static bool takes(const OnlineArguments<T> &a) {
        return a.n >= shortest && a.n <= BlockStates<V>::longest;
    }

    /// f does a row that is left.
    template <class F> static FS_INLINE void run(const OnlineArguments<T> &a, const F &f) {
        if constexpr (Streams<V>) {
            if (a.n <= longest_past_cache && a.rows > much / sizeof(T) / a.n && a.x != a.y)
                return past_cache(a, f);
        }
        BlockStates<V> blocks;
        for (std::size_t r = 0; r < a.rows; ++r) {
            const Row row(a, r);
            if (blocks.weigh(row.x, row.y, a.n, row.next))
                blocks.each(a.n, [&](std::size_t at, std::size_t size, T factor) {
                    scale_row<V>(row.y + at, size, factor);
                });
            else
                f(r);
        }
    }

  private:
    struct Row {
        const T *x, *next;
        T *y;

        Row(const OnlineArguments<T> &a, std::size_t r)
            : x(a.x + static_cast<std::ptrdiff_t>(r) * a.x_stride),
              next(r + 1 < a.rows ? x + a.x_stride : x),
              y(a.y + static_cast<std::ptrdiff_t>(r) * a.y_stride) {}
    };

    // Not inlined: its scratch space would grow the stack frame of every call
    template <class F>
    __attribute__((noinline)) static void past_cache(const OnlineArguments<T> &a, const F &f) {
        alignas(cache_line) T scratch[longest_past_cache];
        BlockStates<V> blocks;
        for (std::size_t r = 0; r < a.rows; ++r) {
            const Row row(a, r);
            if (blocks.weigh(row.x, scratch, a.n, row.next))
                blocks.each(a.n, [&](std::size_t at, std::size_t size, T factor) {
                    scale_past_cache<V>(scratch + at, row.y + at, size, factor, row.next + at);
                });
            else
                f(r);
        }
        V::stream_fence();
    }
};

} // namespace fastsoftmax
