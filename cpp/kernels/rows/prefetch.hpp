// Asking for memory ahead of its use, from among arithmetic that leaves the load ports idle.
//
// The weights of a cache line take some 7 cycles, the line itself 15 from L2 and 70 or more from
// beyond. Hardware fetches ahead, but not across pages of 4 KiB nor for stores in time: results
// wait for their lines then, and a row for its first ones. Two instructions a line, in the pass of
// the weights, mend both.
#pragma once
#include "common/compensated_sum.hpp"

namespace fastsoftmax {

inline constexpr std::size_t cache_line = 64;

/// Fetches what is read next and, if Writes, what is written soon, a tree of weigh() at a call.
template <class V, bool Writes = true> class Prefetch {
    using T = typename V::scalar;
    static constexpr std::size_t tree = tree_size<V> * V::lanes, line = cache_line / sizeof(T);
    static constexpr std::size_t ahead = 512 / sizeof(T); // of the stores: 256 to 2048 serve alike
    const T *read_, *write_;
    std::size_t step_;

  public:
    /// All of what is to be read or, where another pass fetches the rest, its first half.
    FS_INLINE Prefetch(const T *read, const T *write, bool half = false)
        : read_(read), write_(write + ahead), step_(half ? tree / 2 : tree) {}
    FS_INLINE void operator()() {
        for (std::size_t i = 0; i < tree; i += line) {
            __builtin_prefetch(read_ + i, 0, 3);
            if constexpr (Writes)
                __builtin_prefetch(write_ + i, 1, 3);
        }
        read_ += step_;
        write_ += tree;
    }
};

} // namespace fastsoftmax
