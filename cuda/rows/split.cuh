// Rows longer than registers hold: each is split into stretches, one for each block.
//
//   1  every block takes the state (m, s) of its stretch              reads the row once
//   2  every block merges the states of its row, and writes its share  reads it again, writes it
//
// The states of stretches, as of threads, merge by the monoid of common/max_sum.hpp. A thread's
// weights are relative to a power of two near e^r for a reference r that isn't its running maximum:
// r follows only when the maximum has grown by more than `growth` beyond it, and s is rescaled by a
// power of two then, exactly. Skipped rescales cost no accuracy: weights may grow to 2^8 meanwhile.
// States of stretches are merged in double.
//
// Surrogates, whose weights can't be rescaled so, take m first: three passes (two launches before
// the last). Error and edges are those of in_registers.cuh. Nothing is written to y before all of
// x has been read where y is x: kernels follow each other on the stream. The order of all sums is
// fixed by the sizes of the call and the device's number of multiprocessors: same bits every time.
#pragma once
#include "cuda/rows/in_registers.cuh"

#include "common/max_sum.hpp"

namespace fastsoftmax::cuda {

inline constexpr int split_threads = 256, split_elements = 16;

/// What a stretch is; s is relative to the weight of m, NaN where there is one.
struct StretchState {
    double m, s;
    std::uint32_t unmasked;
};

/// One block's share of a call.
template <class S> struct Stretch {
    using T = typename ComputedOf<S>::type;
    const std::int64_t row, begin;
    const int number, count;
    const Group group{split_threads};
    const RowOffsets row_at;

    FS_DEVICE explicit Stretch(const RowsCall &call)
        : row(blockIdx.x / call.stretches),
          begin(static_cast<std::int64_t>(blockIdx.x % call.stretches) * call.stretch),
          number(static_cast<int>(blockIdx.x % call.stretches)),
          count(
              static_cast<int>(call.a.n - begin < call.stretch ? call.a.n - begin : call.stretch)),
          row_at(call.a, row) {}

    FS_DEVICE RowPart<S, split_elements, true> part(const RowsArguments &a) const {
        RowOffsets at = row_at;
        at.x += begin, at.y += begin, at.mask += begin * a.mask_at.step;
        return {a, at, group, count};
    }
};

/// Over the threads of a block. They may follow each other: first of all, nobody reads any more.
template <class T, class F> FS_DEVICE T block_reduce(const Group &group, T value, T neutral, F f) {
    __syncthreads();
    return group.template reduce<0>(value, neutral, f);
}
FS_DEVICE double block_sum(const Group &group, double value) {
    return block_reduce(group, value, 0.0, [](double a, double b) { return a + b; });
}
template <class T> FS_DEVICE T block_max(const Group &group, T value) {
    return block_reduce(group, value, -infinity<T>(), [](T a, T b) { return larger(a, b); });
}

/// The state of what a thread has seen: the reference may lie below the maximum by `growth`.
template <class Weight, class T> class RunningState {
    using V = Lane<T>;
    static constexpr T growth = T(5.545177444479562); // 8 ln 2
    T reference_ = -limit_of<Weight>;
    Weight weight_{-limit_of<Weight>};

  public:
    T m = -infinity<T>();
    CompensatedLanes<V> sum;

    FS_DEVICE void add(T *v) {
        T top = v[0];
#pragma unroll
        for (int e = 1; e < split_elements; ++e)
            top = larger(top, v[e]);
        m = larger(m, top);
        if (top > reference_ + growth) {
            bring_to(top);
            reference_ = top;
            weight_ = Weight(top);
        }
        sum = merged(sum, weigh<V, split_elements>(weight_, v, false));
    }
    /// Makes the sum relative to the power of two that the weights of a maximum M have.
    FS_DEVICE void bring_to(T M) {
        MaxSum<V, CompensatedLanes<V>> state{exp_floor(V{reference_}), sum};
        state.rise_to(exp_floor(V{M}), ByPowersOfTwo{});
        sum = state.s;
    }
};

/// Sum of the weights of a stretch in a row with maximum m, relative to the weight of m.
template <class Weight, class S>
FS_DEVICE double weigh_stretch(const Stretch<S> &stretch, const RowsArguments &a,
                               typename ComputedOf<S>::type m) {
    using T = typename ComputedOf<S>::type;
    using V = Lane<T>;
    const auto part = stretch.part(a);
    const T origin = beyond_limit<Weight>(m) ? m : T(0);
    const Weight weight(m - origin);
    CompensatedLanes<V> sum;
    for (int turn = 0, turns = part.turns(); turn < turns; ++turn) {
        T v[split_elements];
        part.load(v, turn);
#pragma unroll
        for (int e = 0; e < split_elements; ++e)
            v[e] -= origin;
        sum = merged(sum, weigh<V, split_elements>(weight, v, false));
    }
    return block_sum(stretch.group, static_cast<double>(sum.total.v) + sum.lost.v) /
           UnitWeight<Weight, V>::at(V{m - origin}).v;
}

/// Maximum of a stretch, and NaN as its sum where there is one.
template <class S>
FS_DEVICE StretchState look_at_stretch(const Stretch<S> &stretch, const RowsArguments &a) {
    using T = typename ComputedOf<S>::type;
    const auto part = stretch.part(a);
    T m = -infinity<T>();
    bool nan = false, unmasked = false;
    for (int turn = 0, turns = part.turns(); turn < turns; ++turn) {
        T v[split_elements];
        unmasked |= part.load(v, turn);
#pragma unroll
        for (int e = 0; e < split_elements; ++e) {
            nan |= v[e] != v[e];
            m = larger(m, v[e]);
        }
    }
    m = block_max(stretch.group, m);
    return {m, __syncthreads_or(nan) ? not_a_number<double>() : 0.0,
            static_cast<std::uint32_t>(__syncthreads_or(unmasked))};
}

/// The state of a stretch whose weights are those of exp, in one pass.
template <class Weight, class S>
FS_DEVICE StretchState run_stretch(const Stretch<S> &stretch, const RowsArguments &a) {
    using T = typename ComputedOf<S>::type;
    using V = Lane<T>;
    const auto part = stretch.part(a);
    RunningState<Weight, T> running;
    for (int turn = 0, turns = part.turns(); turn < turns; ++turn) {
        T v[split_elements];
        part.load(v, turn);
        running.add(v);
    }
    const T m = block_max(stretch.group, running.m);
    if (is_infinite(m))
        return look_at_stretch(stretch, a);
    if (beyond_limit<Weight>(m))
        return {m, weigh_stretch<Weight>(stretch, a, m), 1};
    running.bring_to(m);
    const double s = static_cast<double>(running.sum.total.v) + running.sum.lost.v;
    return {m, block_sum(stretch.group, s) / UnitWeight<Weight, V>::at(V{m}).v, 1};
}

} // namespace fastsoftmax::cuda
