// Rows that the registers of their threads hold: one read, one write.
//
//   y = w(x - m) / sum w(x - m), m the maximum; or (x - m) - log s; or m and s
//
// A row has 1 to 32 lanes of a warp, or a block of 64 to 1024 threads (group.cuh), each with up to
// `few` or `many` elements: 8192 a row, or 32768. Memory is touched once, in chunks of 16 bytes;
// what comes between costs, for `exact` in float32, some 20 instructions an element, where a GPU
// could issue 70 (H100) meanwhile. Masks are for those with few elements: with many there are no
// registers left for them.
//
// Weights are those of the CPU's kernels (common/exp.hpp, surrogates), on the FMA units: no
// approximate instruction is involved, so `exact` has the CPU's bounds: 5e-7 relative for x - m >
// -20, 3e-7 absolute, and 4e-15 in float64. A thread adds its weights by fours in a tree and then
// compensated, rows merge compensated sums: their length adds no error. Rows with |m| beyond the
// weight's limit subtract m first.
//
// Edges: row_result.cuh. Rejected: a class for each row length as on the CPU (the number of
// threads, a power of two, is chosen when it runs; compile time and size grow with classes).
#pragma once
#include "group.cuh"
#include "row_mask.cuh"
#include "row_result.cuh"

namespace fastsoftmax::cuda {

inline constexpr int few = 8, many = 32;

/// Sum of the weights of v, which they replace if `keep` says so.
template <class V, int Elements, class Weight, class T>
FS_DEVICE CompensatedLanes<V> weigh(const Weight &weight, T *v, bool keep) {
    CompensatedLanes<V> sum;
#pragma unroll
    for (int e = 0; e < Elements; e += 4) {
        sum.add(tree_sum<4, V>([&](std::size_t j) {
            const V w = weight(V{v[e + j]});
            v[e + j] = keep ? w.v : v[e + j];
            return w;
        }));
    }
    return sum;
}

/// Weights of rows with |m| from here on subtract m first.
template <class Weight> inline constexpr auto limit_of = Weight::limit();

/// The thread's share of a row in v, and the state of the row. v holds weights for `online`, else
/// logits relative to what is returned as m in `origin`.
template <class Variant, int Elements, class T>
FS_DEVICE RowState<T> take_row(const Group &group, RowsOperation operation, T sink, bool left, T *v,
                               T &origin) {
    using V = Lane<T>;
    using Weight = typename Variant::template Weight<V, false>;
    RowState<T> row{};
    T m = -infinity<T>();
#pragma unroll
    for (int e = 0; e < Elements; ++e)
        m = larger(m, v[e]);
    const auto either = [](unsigned a, unsigned b) { return a | b; };
    m = group.template reduce<0>(m, -infinity<T>(), [](T a, T b) { return larger(a, b); });
    row.m = m = larger(m, sink);
    if (group.anywhere(row.infinite())) {
        bool nan = sink != sink;
#pragma unroll
        for (int e = 0; e < Elements; ++e)
            nan |= v[e] != v[e];
        const unsigned seen =
            group.template reduce<1>(unsigned{nan} | unsigned{left} << 1, 0u, either);
        row.nan = seen & 1;
        row.left = seen >> 1 & 1;
    }
    origin = 0;
    if (!(m < limit_of<Weight> && m > -limit_of<Weight>)) {
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
    row.s = sum.total.v + sum.lost.v;
    row.unit = UnitWeight<Weight, V>::at(V{m}).v;
    return row;
}

/// v as results: weights become probabilities, logits their logarithms.
template <int Elements, class T>
FS_DEVICE void finish_row(RowsOperation operation, const RowState<T> &row, T origin, T *v) {
    if (row.infinite()) {
#pragma unroll
        for (int e = 0; e < Elements; ++e)
            v[e] = row.nothing(operation);
    } else if (operation == RowsOperation::online) {
        const T factor = T(1) / row.s;
#pragma unroll
        for (int e = 0; e < Elements; ++e) {
            v[e] *= factor;
            if constexpr (sizeof(T) == 8) // float is flushed by its arithmetic
                v[e] = v[e] < 0x1p-1022 ? T(0) : v[e];
        }
    } else {
        const T m = row.m - origin, log_s = log_pair(row.sum()).value();
#pragma unroll
        for (int e = 0; e < Elements; ++e)
            v[e] = (v[e] - m) - log_s;
    }
}

/// What each thread of a row does, for the type that x and y have.
template <class S, int Elements, class T> class ThreadsPart {
    const RowsArguments &a_;
    const RowOffsets &at_;
    const Group &group_;
    const bool mine_;
    static constexpr bool masked = Elements == few;

    template <class E> FS_DEVICE Places places(const E *x) const {
        return Places(x, mine_ ? a_.n : 0, group_.rank(), group_.size);
    }

  public:
    FS_DEVICE ThreadsPart(const RowsArguments &a, const RowOffsets &at, const Group &group,
                          bool mine)
        : a_(a), at_(at), group_(group), mine_(mine) {}

    /// Fills v; true if the mask leaves any of it.
    FS_DEVICE bool load(T *v) const {
        bool left = true;
        with_storage<S>(a_.dtype, [&](auto *type) {
            using E = std::remove_pointer_t<decltype(type)>;
            const E *const x = static_cast<const E *>(a_.x) + at_.x;
            const Places to = places(x);
            // what is added is scaled together with it
            const bool added = masked && a_.mask_kind == Mask::add;
            load_elements<Elements>(x, to, added ? T(1) : static_cast<T>(a_.scale), v);
            if constexpr (masked)
                if (a_.mask_kind != Mask::none)
                    left = mask_elements<Elements, per_chunk<E>>(a_, at_, to, v);
        });
        return left;
    }
    FS_DEVICE void store(const T *v) const {
        with_storage<S>(a_.dtype, [&](auto *type) {
            using E = std::remove_pointer_t<decltype(type)>;
            const E *const x = static_cast<const E *>(a_.x) + at_.x;
            E *const y = static_cast<E *>(a_.y) + at_.y;
            store_elements<Elements>(y, places(x), Places::head(x) == Places::head(y), v);
        });
    }
};

/// Threads of a block at most: as many as there are registers for.
template <class S> inline constexpr int register_threads = std::is_same_v<S, double> ? 512 : 1024;

template <class Variant, class S, int Elements>
__global__ void __launch_bounds__(register_threads<S>) register_rows(const RowsCall call) {
    using T = typename ComputedOf<S>::type;
    const RowsArguments &a = call.a;
    const Group group{call.threads};
    const std::int64_t row =
        static_cast<std::int64_t>(blockIdx.x) * (blockDim.x / group.size) + group.number();
    const bool mine = row < call.rows; // threads without a row go along: others meet them
    const RowOffsets at(a, mine ? row : 0);
    const ThreadsPart<S, Elements, T> part(a, at, group, mine);
    T v[Elements], origin;
    const bool left = part.load(v);
    const RowState<T> state =
        take_row<Variant, Elements>(group, a.operation, sink_of<T>(a, at), left, v, origin);
    if (a.y) {
        finish_row<Elements>(a.operation, state, origin, v);
        part.store(v);
    } else if (mine && group.rank() == 0) {
        store_state(a, row, state);
    }
}

} // namespace fastsoftmax::cuda
