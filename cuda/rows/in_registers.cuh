// Rows that the registers of their threads hold: one read, one write.
//
//   y = w(x - m) / sum w(x - m), m the maximum; or (x - m) - log s; or m and s
//
// A row has 1 to 32 lanes of a warp, or a block of 64 to 1024 threads (group.cuh). Each has a tile
// of up to 8 or up to 32 elements in registers: rows have up to 8192 or 32768. Memory is touched
// once, in vectors of 16 bytes. In a large tile `exact` takes 31 instructions an element in float32
// (sm_90), of about 70 that an H100 could issue meanwhile; in float16 it is 30 of 35. Masks are for
// small tiles: a large one leaves no registers for them.
//
// Weights are those of the CPU's kernels (common/weights/exp.hpp, surrogates), on the FMA units: no
// approximate instruction is involved, so `exact` has the CPU's bounds (common/claims.hpp). A
// thread adds its weights by fours in a tree and then compensated, rows merge compensated sums:
// their length adds no error. Rows with |m| beyond the weight's limit subtract m first.
//
// Edges: result.cuh. Rejected: a class for each row length as on the CPU (the number of
// threads, a power of two, is chosen when it runs; compile time and size grow with classes); a way
// of its own for rows of whole vectors, and a loop of its own for each operation (fewer
// instructions, but ptxas spills).
#pragma once
#include "cuda/rows/part.cuh"
#include "cuda/rows/result.cuh"

namespace fastsoftmax::cuda {

inline constexpr int small_tile = 8, large_tile = 32; ///< elements of a thread

/// Weight of the thread's element number e, by which `mixed` variants choose.
template <class V, class Weight> FS_DEVICE V weight_of(const Weight &weight, V x, int e) {
    if constexpr (requires { weight(x, e); })
        return weight(x, e);
    else
        return weight(x);
}

/// Sum of the weights of v, which they replace if `replace` says so.
template <class V, int Elements, class Weight, class T>
FS_DEVICE CompensatedLanes<V> weigh(const Weight &weight, T *v, bool replace) {
    CompensatedLanes<V> sum;
#pragma unroll
    for (int e = 0; e < Elements; e += 4) {
        sum.add(tree_sum<4, V>([&](std::size_t j) {
            const V w = weight_of(weight, V{v[e + j]}, e + static_cast<int>(j));
            v[e + j] = replace ? w.v : v[e + j];
            return w;
        }));
    }
    return sum;
}

/// Bit 0: whether there is a NaN. Bit 1: whether anything is unmasked. Only asked where the maximum
/// says nothing.
template <int Elements, class T>
FS_DEVICE unsigned nan_and_unmasked(const Group &group, const T *v, T sink, bool unmasked) {
    bool nan = sink != sink;
#pragma unroll
    for (int e = 0; e < Elements; ++e)
        nan |= v[e] != v[e];
    return group.template reduce<1>(unsigned{nan} | unsigned{unmasked} << 1, 0u,
                                    [](unsigned a, unsigned b) { return a | b; });
}

/// The state of a row of which this thread has v: which becomes weights for `online`; else it stays
/// logits, from which `origin` has been taken off.
template <class Variant, int Elements, class T>
FS_DEVICE RowState<T> take_row(const Group &group, RowsOperation operation, T sink, bool unmasked,
                               T *v, T &origin) {
    using V = Lane<T>;
    using Weight = typename Variant::template Weight<V, Shift::none>;
    T m = -infinity<T>();
#pragma unroll
    for (int e = 0; e < Elements; ++e)
        m = larger(m, v[e]);
    m = group.template reduce<0>(m, -infinity<T>(), [](T a, T b) { return larger(a, b); });
    const T maximum = larger(m, sink);
    unsigned seen = 2;
    if (group.anywhere(is_infinite(maximum)))
        seen = nan_and_unmasked<Elements>(group, v, sink, unmasked);
    origin = 0;
    m = maximum;
    if (beyond_limit<Weight>(m)) {
#pragma unroll
        for (int e = 0; e < Elements; ++e)
            v[e] -= m;
        sink -= m;
        origin = m;
        m = 0;
    }
    const Weight weight(m);
    CompensatedLanes<V> sum = weigh<V, Elements>(weight, v, operation == RowsOperation::online);
    sum = group.template reduce<2>(sum, CompensatedLanes<V>{},
                                   [](const auto &a, const auto &b) { return merged(a, b); });
    sum.add(weight(V{sink}));
    RowState<T> row(operation, maximum, sum.total.v + sum.lost.v, UnitWeight<Weight, V>::at(V{m}).v,
                    false);
    row.nan = seen & 1;
    row.unmasked = seen >> 1 & 1;
    return row;
}

/// Threads of a block at most: as many as there are registers for.
template <class S> inline constexpr int register_threads = std::is_same_v<S, double> ? 512 : 1024;
/// Blocks of a multiprocessor at least, 0 where ptxas may choose: for double it would rather spill.
template <class S> inline constexpr int register_blocks = std::is_same_v<S, double> ? 1 : 0;

template <class Variant, class S, int Elements>
__global__ void __launch_bounds__(register_threads<S>, register_blocks<S>)
    register_rows(const RowsCall call) {
    using T = typename ComputedOf<S>::type;
    const RowsArguments &a = call.a;
    const Group group{call.threads};
    const std::int64_t row =
        static_cast<std::int64_t>(blockIdx.x) * (blockDim.x / group.size) + group.number();
    const bool mine = row < call.rows; // threads without a row go along: others meet them
    const RowOffsets at(a, mine ? row : 0);
    const RowPart<S, Elements, Elements == small_tile> part(a, at, group,
                                                            mine ? static_cast<int>(a.n) : 0);
    T v[Elements], origin;
    const bool unmasked = part.load(v);
    const RowState<T> state =
        take_row<Variant, Elements>(group, a.operation, sink_of<T>(a, at), unmasked, v, origin);
    if (a.y) {
        finish_row<Elements>(a.operation, state, origin, v);
        part.store(v);
    } else if (mine && group.rank() == 0) {
        store_state(a, row, state);
    }
}

} // namespace fastsoftmax::cuda
