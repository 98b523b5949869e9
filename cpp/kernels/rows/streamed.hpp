// Softmax of medium-long rows, which come from L2 or memory and stay in L1 over three passes.
//
// While the weights are computed the next row is fetched and so are the lines that results go to
// (prefetch.hpp). In a batch whose results leave the cache, the weights of a row wait in a scratch
// row instead, and their scaled copy goes past the cache (streaming_store.hpp); half of the next
// row is fetched along with the weights and half along with the scaled copy, so that memory has
// work all the time. In place there is nothing to gain by that: the lines are there already. Bits
// are those of the plain passes.
#pragma once
#include "kernels/arguments.hpp"
#include "kernels/rows/streaming_store.hpp"

namespace fastsoftmax {

template <class Variant, class V> class StreamedRows {
    using T = typename V::scalar;

  public:
    static constexpr std::size_t longest = 16384; ///< of rows that go past the cache

    /// f(x, w, n, m, beside) writes weights and returns the factor that makes them probabilities.
    template <class F> static FS_INLINE void run(const OnlineArguments<T> &a, const F &f) {
        if constexpr (Streams<V>) {
            if (a.n <= longest && a.rows > past_cache_bytes / sizeof(T) / a.n && a.x != a.y)
                return past_cache(a, f);
        }
        for (std::size_t r = 0; r < a.rows; ++r) {
            const auto i = static_cast<std::ptrdiff_t>(r);
            const T *x = a.x + i * a.x_stride, *next = r + 1 < a.rows ? x + a.x_stride : x;
            T *y = a.y + i * a.y_stride;
            const T factor = f(x, y, a.n, row_max<V>(x, a.n), Prefetch<V>(next, y));
            scale_row<V>(y, a.n, factor);
        }
    }

  private:
    // Not inlined: its scratch space would grow the stack frame of every call
    template <class F>
    __attribute__((noinline)) static void past_cache(const OnlineArguments<T> &a, const F &f) {
        alignas(cache_line) T scratch[longest];
        for (std::size_t r = 0; r < a.rows; ++r) {
            const auto i = static_cast<std::ptrdiff_t>(r);
            const T *x = a.x + i * a.x_stride, *next = r + 1 < a.rows ? x + a.x_stride : x;
            const T factor =
                f(x, scratch, a.n, row_max<V>(x, a.n), Prefetch<V>(next, scratch, true));
            scale_past_cache<V>(scratch, a.y + i * a.y_stride, a.n, factor, next + a.n / 2);
        }
        V::stream_fence();
    }
};

} // namespace fastsoftmax
