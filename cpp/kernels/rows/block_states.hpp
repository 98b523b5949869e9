// The state of each block of a long row: the power of two that its weights are relative to.
//
// A block is weighed relative to 2^n, n = floor(m * log2 e) of its own maximum m (exp.hpp), while
// it is in L1. The sums of blocks merge as the monoid does (common/max_sum.hpp), but for a factor
// that is a power of two and so exact; the row's total then gives each block the factor that makes
// its weights probabilities, or the row its state (m, s). Blocks are of one size and know nothing
// of each other, so any number of threads may share them.
//
// A block beyond exp's `limit`, or with NaN or +inf, makes the row none of this class's. In place
// all maxima are taken first: nothing may be overwritten before they are known to be good.
#pragma once
#include "common/compensated_sum.hpp"
#include "common/max_sum.hpp"
#include "common/weights/unit.hpp"
#include "common/weights/variants.hpp"
#include "kernels/rows/passes.hpp"
#include "kernels/rows/prefetch.hpp"
#include "kernels/rows/shared_row.hpp"
#include <cstdint>

namespace fastsoftmax {

template <class V> class BlockStates {
    using T = typename V::scalar;
    using Weight = ExactWeight<V, Shift::none>;
    static constexpr std::size_t block = long_row_block<T>;

    BlockState<T> *const states_;
    const std::size_t n_, count_ = count_blocks<T>(n_);

  public:
    /// n of a block's maximum.
    static FS_INLINE std::int32_t exponent_of(T m) {
        return static_cast<std::int32_t>(V::reduce_max(exp_floor(V::set(m))));
    }

    FS_INLINE BlockStates(BlockState<T> *states, std::size_t n) : states_(states), n_(n) {}

    FS_INLINE std::size_t count() const { return count_; }
    FS_INLINE std::size_t size(std::size_t b) const {
        return n_ - b * block < block ? n_ - b * block : block;
    }
    // Not inlined, here and below: three operations share them, row by row and step by step
    __attribute__((noinline)) void take_maxima(const T *x, std::size_t begin,
                                               std::size_t end) const {
        for (std::size_t b = begin; b < end; ++b)
            states_[b].maximum = row_max<V>(x + b * block, size(b));
    }
    FS_INLINE bool good_maxima() const {
        bool all_good = true, any = false;
        for (std::size_t b = 0; b < count_; ++b) {
            all_good = all_good && good(states_[b].maximum);
            any = any || states_[b].maximum > lowest_value<V>();
        }
        return all_good && any;
    }

    /// Weights and states of blocks. False if a block's maximum is too large or no number, so that
    /// the row goes another way: the weights mean nothing then, unless they replace the row. Takes
    /// the maxima, unless weights replace the row.
    template <Storing Stored>
    __attribute__((noinline)) bool weigh(const T *x, T *w, std::size_t begin, std::size_t end,
                                         const T *next_row) const {
        for (std::size_t b = begin; b < end; ++b) {
            const std::size_t at = b * block;
            BlockState<T> &state = states_[b];
            if (Stored == Storing::nothing || x != w)
                state.maximum = row_max<V>(x + at, size(b));
            if (__builtin_expect(!good(state.maximum), 0))
                return false;
            // a block of -inf weighs 0 relative to anything, and its NaN shows in the sum
            const bool empty = state.maximum == lowest_value<V>();
            const Weight weight(empty ? T(0) : state.maximum);
            state.exponent = empty ? exponent_of_nothing : exponent_of(state.maximum);
            const T *next = n_ - at > block ? x + at + block : next_row;
            T *const to = Stored == Storing::weights ? w + at : nullptr;
            state.sum = fastsoftmax::weigh<Stored, V>(
                weight, x + at, to, size(b), Prefetch<V, Stored == Storing::weights>(next, to));
        }
        return true;
    }

    /// All states, in order.
    __attribute__((noinline)) RowTotal<T> merge() const {
        MaxSum<std::int32_t, CompensatedSum> total{exponent_of_nothing, {}};
        T m = lowest_value<V>();
        for (std::size_t b = 0; b < count_; ++b) {
            const BlockState<T> &state = states_[b];
            if (__builtin_expect(!good(state.maximum), 0))
                return {};
            total.merge(MaxSum<std::int32_t, double>{state.exponent, state.sum}, ByPowersOfTwo{});
            m = state.maximum > m ? state.maximum : m;
        }
        const double sum = total.s.value();
        if (!(sum > 0)) // nothing but -inf, or a NaN
            return {};
        return {true, total.m, sum, m, sum / unit_weight<V, Weight>(m)};
    }

    /// Makes probabilities of the weights of a block.
    FS_INLINE T factor(const RowTotal<T> &total, std::size_t b) const {
        return block_factor(states_[b], total);
    }

  private:
    static FS_INLINE bool good(T m) {
        return m < Weight::limit() && (m > -Weight::limit() || m == lowest_value<V>());
    }
};

/// One step of a row shared by threads. `results(blocks, b, at, size)` writes those of block b.
template <Storing Stored, class V, class F>
FS_INLINE void long_row_step(const LongRowArguments<typename V::scalar> &a, const F &results) {
    const BlockStates<V> blocks(a.blocks, a.n);
    switch (a.step) {
    case LongRowStep::maxima:
        return blocks.take_maxima(a.x, a.begin, a.end);
    case LongRowStep::look:
        a.total->good = blocks.good_maxima();
        return;
    case LongRowStep::weights:
        // where this stops early, merge() finds why
        blocks.template weigh<Stored>(a.x, a.y, a.begin, a.end, a.x);
        return;
    case LongRowStep::merge:
        *a.total = blocks.merge();
        return;
    case LongRowStep::results:
        for (std::size_t b = a.end; b-- > a.begin;) // the last one is still in cache
            results(blocks, b, b * long_row_block<typename V::scalar>, blocks.size(b));
    }
}

} // namespace fastsoftmax
