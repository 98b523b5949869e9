// A long row step by step, block by block: what lets several threads share one row.
//
// Blocks are of one size whatever the number of threads, each leaves a state of its own, and the
// states are merged in order by one thread. So only who takes a block varies, never the bits.
#pragma once
#include "common/max_sum.hpp"
#include "kernels/arguments.hpp"

namespace fastsoftmax {

/// Elements of a block, and those of the rows that are taken by blocks: from where logits and
/// results together leave an L1 cache of 48 KiB to what the states of a stack frame allow.
template <class T> inline constexpr std::size_t long_row_block = 16384 / sizeof(T);
template <class T> inline constexpr std::size_t shortest_long_row = 24576 / sizeof(T);
inline constexpr std::size_t most_blocks = 16384;
template <class T> inline constexpr std::size_t longest_long_row = long_row_block<T> * most_blocks;

template <class T> constexpr std::size_t count_blocks(std::size_t n) {
    return (n + long_row_block<T> - 1) / long_row_block<T>;
}
template <class T> constexpr bool is_long_row(std::size_t n) {
    return n >= shortest_long_row<T> && n <= longest_long_row<T>;
}

/// Of a block: the sum of its weights is relative to 2^exponent.
template <class T> struct BlockState {
    T maximum;
    std::int32_t exponent;
    double sum;
};

/// Of the row. Where `good` is false it is none of this class's: a block has an extreme maximum,
/// NaN or +inf, or there is nothing but -inf.
template <class T> struct RowTotal {
    bool good;
    std::int32_t highest;
    double sum; ///< relative to 2^highest
    T m;
    double s;
};

/// What makes probabilities of the weights of a block.
template <class T> FS_INLINE T block_factor(const BlockState<T> &block, const RowTotal<T> &total) {
    return static_cast<T>(negative_power_of_two(block.exponent - total.highest) / total.sum);
}

/// In this order; `maxima` and `look` where the weights are going to replace the logits.
enum class LongRowStep {
    maxima,  ///< of blocks
    look,    ///< total.good: whether all maxima are of this class. Sum and NaN are seen later
    weights, ///< of blocks, with their states
    merge,   ///< total
    results, ///< of blocks
};

template <class T> struct LongRowArguments {
    LongRowStep step = LongRowStep::maxima;
    const T *x = nullptr;
    T *y = nullptr; ///< absent where only the state is wanted
    std::size_t n = 0;
    BlockState<T> *blocks = nullptr; ///< of the whole row
    std::size_t begin = 0, end = 0;  ///< blocks that steps of blocks take
    RowTotal<T> *total = nullptr;
    T *m = nullptr, *s = nullptr; ///< what merge() gives beside, as NormalizerArguments; m absent
                                  ///< where y is wanted
};

} // namespace fastsoftmax
