// Softmax of long rows in one pass over the logits: blocks with maxima of their own, merged after.
//
// A row beyond L1 would be read twice, for its maximum and for its weights. Here each block takes
// both while it is in L1 and leaves a state (block_states.hpp). A last pass multiplies each block
// by its own factor, the last block first: it is still in cache. The next block and the lines of
// results are fetched ahead, and many results go past the cache, as in streamed.hpp.
//
// For exp only: surrogates' weights relative to two maxima can't be compared. Any split of a row at
// the edges of blocks has these bits; threads share a row that way (shared_row.hpp).
//
// Rejected, since none was faster: blocks of half the size; fetching half of the next row with the
// weights, for results past the cache. Slower: the first block first.
#pragma once
#include "kernels/arguments.hpp"
#include "kernels/rows/block_states.hpp"
#include "kernels/rows/streaming_store.hpp"

namespace fastsoftmax {

template <class V> class LongRows {
    using T = typename V::scalar;
    static constexpr std::size_t longest_past_cache = 16384;

  public:
    /// f does a row that is left.
    template <class F> static FS_INLINE void run(const OnlineArguments<T> &a, const F &f) {
        if constexpr (Streams<V>) {
            if (a.n <= longest_past_cache && a.rows > past_cache_bytes / sizeof(T) / a.n &&
                a.x != a.y)
                return past_cache(a, f);
        }
        BlockState<T> states[most_blocks];
        const BlockStates<V> blocks(states, a.n);
        for (std::size_t r = 0; r < a.rows; ++r) {
            const Row row(a, r);
            RowTotal<T> total{};
            if (row.x == row.y)
                blocks.take_maxima(row.x, 0, blocks.count());
            if ((row.x != row.y || blocks.good_maxima()) &&
                blocks.template weigh<Storing::weights>(row.x, row.y, 0, blocks.count(), row.next))
                total = blocks.merge();
            if (total.good)
                each(blocks, total, [&](std::size_t at, std::size_t size, T factor) {
                    scale_row<V>(row.y + at, size, factor);
                });
            else
                f(r);
        }
    }

    /// For a row shared by threads.
    static FS_INLINE void step(const LongRowArguments<T> &a) {
        long_row_step<Storing::weights, V>(
            a, [&a](const auto &blocks, std::size_t b, std::size_t at, std::size_t size) {
                scale_row<V>(a.y + at, size, blocks.factor(*a.total, b));
            });
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

    /// Calls f(first element, size, factor) for each block, the last one first.
    template <class F>
    static FS_INLINE void each(const BlockStates<V> &blocks, const RowTotal<T> &total, const F &f) {
        for (std::size_t b = blocks.count(); b-- > 0;)
            f(b * long_row_block<T>, blocks.size(b), blocks.factor(total, b));
    }

    // Not inlined: its scratch space would grow the stack frame of every call
    template <class F>
    __attribute__((noinline)) static void past_cache(const OnlineArguments<T> &a, const F &f) {
        alignas(cache_line) T scratch[longest_past_cache];
        BlockState<T> states[count_blocks<T>(longest_past_cache)];
        const BlockStates<V> blocks(states, a.n);
        for (std::size_t r = 0; r < a.rows; ++r) {
            const Row row(a, r);
            RowTotal<T> total{};
            if (blocks.template weigh<Storing::weights>(row.x, scratch, 0, blocks.count(),
                                                        row.next))
                total = blocks.merge();
            if (total.good)
                each(blocks, total, [&](std::size_t at, std::size_t size, T factor) {
                    scale_past_cache<V>(scratch + at, row.y + at, size, factor, row.next + at);
                });
            else
                f(r);
        }
        V::stream_fence();
    }
};

} // namespace fastsoftmax
