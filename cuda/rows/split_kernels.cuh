// The launches of rows that are split: see split.cuh.
#pragma once
#include "cuda/rows/split.cuh"

namespace fastsoftmax::cuda {

/// Whether a variant's weights are relative to a power of two, by which sums can be rescaled.
template <class Weight> inline constexpr bool rescales_by_powers = false;
template <class V, int Degree, Shift By>
inline constexpr bool rescales_by_powers<ExpWeight<V, Degree, By>> = true;

/// Blocks that a multiprocessor has registers for: with fewer each, ptxas would spill.
template <class S> inline constexpr int split_blocks = std::is_same_v<S, double> ? 2 : 3;

/// A whole row's state.
template <class T> struct MergedRow {
    T m;      ///< sink included
    double s; ///< relative to the weight of m; the sink's not included
    bool nan, unmasked;
};

/// Merges the stretches of a row; all threads of a block do.
template <class T>
FS_DEVICE MergedRow<T> merge_stretches(const Group &group, const StretchState *states,
                                       unsigned count, T sink) {
    double m = -infinity<double>();
    bool nan = sink != sink, unmasked = false;
    for (unsigned i = threadIdx.x; i < count; i += blockDim.x) {
        m = larger(m, states[i].m);
        nan |= states[i].s != states[i].s;
        unmasked |= states[i].unmasked != 0;
    }
    m = larger(block_max(group, m), static_cast<double>(sink));
    const auto by_exp = [](double low, double high) {
        return ByExp{}(Lane<double>{low}, Lane<double>{high}).v;
    };
    MaxSum<double> row{m, 0};
    for (unsigned i = threadIdx.x; i < count && !is_infinite(m); i += blockDim.x)
        row.merge(MaxSum<double>{states[i].m, states[i].s}, by_exp);
    const double s = block_sum(group, row.s);
    return {static_cast<T>(m), s, __syncthreads_or(nan) != 0, __syncthreads_or(unmasked) != 0};
}

/// The maximum of each stretch, where weights can't do without.
template <class S>
__global__ void __launch_bounds__(split_threads, split_blocks<S>)
    stretch_maxima(const RowsCall call) {
    const StretchState state = look_at_stretch(Stretch<S>(call), call.a);
    if (threadIdx.x == 0)
        call.states[blockIdx.x] = state;
}

/// The state of each stretch.
template <class Variant, class S>
__global__ void __launch_bounds__(split_threads, split_blocks<S>)
    stretch_states(const RowsCall call) {
    using T = typename ComputedOf<S>::type;
    using Weight = typename Variant::template Weight<Lane<T>, Shift::none>;
    const Stretch<S> stretch(call);
    StretchState state;
    if constexpr (rescales_by_powers<Weight>) {
        state = run_stretch<Weight>(stretch, call.a);
    } else {
        const MergedRow<T> row =
            merge_stretches(stretch.group, call.states + stretch.row * call.stretches,
                            call.stretches, sink_of<T>(call.a, stretch.row_at));
        const double nothing = row.nan ? not_a_number<double>() : 0.0;
        state = {row.m,
                 is_infinite(row.m) ? nothing : weigh_stretch<Weight>(stretch, call.a, row.m),
                 row.unmasked};
    }
    if (threadIdx.x == 0)
        call.sums[blockIdx.x] = state;
}

/// The results: of a stretch, or where only states are wanted, of a row.
template <class Variant, class S>
__global__ void __launch_bounds__(split_threads, split_blocks<S>)
    stretch_results(const RowsCall call) {
    using T = typename ComputedOf<S>::type;
    using V = Lane<T>;
    using Weight = typename Variant::template Weight<V, Shift::none>;
    const RowsArguments &a = call.a;
    const Stretch<S> stretch(call);
    const T sink = sink_of<T>(a, stretch.row_at);
    const MergedRow<T> merged_row = merge_stretches(
        stretch.group, call.sums + stretch.row * call.stretches, call.stretches, sink);
    const T m = merged_row.m, origin = beyond_limit<Weight>(m) ? m : T(0);
    const Weight weight(m - origin);
    const T unit = UnitWeight<Weight, V>::at(V{m - origin}).v;
    const double of_sink = static_cast<double>(weight(V{sink - origin}).v) / unit;
    RowState<T> row(a.operation, m, merged_row.s + of_sink, static_cast<double>(unit), true);
    row.nan = merged_row.nan;
    row.unmasked = merged_row.unmasked;
    if (!a.y) {
        if (threadIdx.x == 0 && stretch.number == 0)
            store_state(a, stretch.row, row);
        return;
    }
    const auto part = stretch.part(a);
    for (int turn = 0, turns = part.turns(); turn < turns; ++turn) {
        T v[split_elements];
        part.load(v, turn);
#pragma unroll
        for (int e = 0; e < split_elements; ++e) {
            v[e] -= origin;
            if (a.operation == RowsOperation::online)
                v[e] = weight_of(weight, V{v[e]}, e).v;
        }
        finish_row<split_elements>(a.operation, row, origin, v);
        part.store(v, turn);
    }
}

} // namespace fastsoftmax::cuda
