// From a row's maximum and sum to its results, with the edges: what -inf, +inf, NaN and an empty
// mask make of it.
#pragma once
#include "cuda/device/log.cuh"
#include "cuda/rows/call.cuh"

#include "common/weights/unit.hpp"

namespace fastsoftmax::cuda {

/// Weights of rows with |m| from here on subtract m first.
template <class Weight> inline constexpr auto limit_of = Weight::limit();
template <class Weight, class T> FS_DEVICE bool beyond_limit(T m) {
    return !(m < limit_of<Weight> && m > -limit_of<Weight>);
}
template <class T> FS_DEVICE bool is_infinite(T m) { return !(m - m == 0); }

/// What a row is, when all of it has been seen.
template <class T> struct RowState {
    T m;                  ///< maximum, sink included, NaN passed over
    T s;                  ///< sum of the weights, relative to that of m; NaN where there is one
    T factor;             ///< what makes weights probabilities
    bool nan = false;     ///< known where m is infinite
    bool unmasked = true; ///< whether anything is unmasked; known where m is infinite

    /// From the sum of weights and the weight of m.
    template <class Sum>
    FS_DEVICE RowState(RowsOperation operation, T m, Sum sum, Sum unit, bool relative)
        : m(m), s(0), factor(0) {
        if (operation == RowsOperation::online)
            factor = static_cast<T>(1 / (relative ? sum * unit : sum));
        else
            s = static_cast<T>(relative ? sum : sum / unit);
    }

    /// What each result of a row without a distribution is.
    FS_DEVICE T nothing(RowsOperation operation) const {
        if (unmasked)
            return not_a_number<T>();
        return operation == RowsOperation::online ? T(0) : -infinity<T>();
    }
};

/// v as results: weights become probabilities, logits less `origin` their logarithms.
template <int Elements, class T>
FS_DEVICE void finish_row(RowsOperation operation, const RowState<T> &row, T origin, T *v) {
    if (is_infinite(row.m)) {
#pragma unroll
        for (int e = 0; e < Elements; ++e)
            v[e] = row.nothing(operation);
    } else if (operation == RowsOperation::online) {
#pragma unroll
        for (int e = 0; e < Elements; ++e) {
            v[e] *= row.factor;
            if constexpr (sizeof(T) == 8) // float is flushed by its arithmetic
                v[e] = v[e] < 0x1p-1022 ? T(0) : v[e];
        }
    } else {
        const T m = row.m - origin, log_s = log_pair(row.s).value();
#pragma unroll
        for (int e = 0; e < Elements; ++e)
            v[e] = (v[e] - m) - log_s;
    }
}

/// m and s, or their logarithm.
template <class T>
FS_DEVICE void store_state(const RowsArguments &a, std::int64_t row, const RowState<T> &state) {
    auto *const to_m = static_cast<T *>(a.m) + row;
    T m = state.m, s = state.s;
    if (is_infinite(m)) {
        m = state.nan ? not_a_number<T>() : m;
        s = m < 0 ? T(0) : not_a_number<T>();
    } else {
        m = s == s ? m : s;
    }
    if (a.operation == RowsOperation::normalizer) {
        *to_m = m;
        static_cast<T *>(a.s)[row] = s;
    } else {
        *to_m = is_infinite(m) ? m : log_pair(s).plus(m);
    }
}

} // namespace fastsoftmax::cuda
