// From a row's maximum and sum to its results, with the edges: what -inf, +inf, NaN and an empty
// mask make of it.
#pragma once
#include "log.cuh"
#include "rows_call.cuh"

#include "kernels/unit_weight.hpp"

namespace fastsoftmax::cuda {

/// What a row is, when its threads have met.
template <class T> struct RowState {
    T m;              ///< maximum, sink included, NaN passed over
    T s;              ///< sum of the weights; NaN where there is one
    T unit;           ///< weight of the maximum
    bool nan;         ///< known where m is infinite
    bool left = true; ///< whether the mask leaves anything; known where m is infinite

    FS_DEVICE bool infinite() const { return !(m - m == 0); }
    /// The sum of weights relative to that of the maximum.
    FS_DEVICE T sum() const { return s / unit; }
    /// What each result of a row without a distribution is.
    FS_DEVICE T nothing(RowsOperation operation) const {
        if (left)
            return not_a_number<T>();
        return operation == RowsOperation::online ? T(0) : -infinity<T>();
    }
};

/// m and s, or their logarithm.
template <class T>
FS_DEVICE void store_state(const RowsArguments &a, std::int64_t row, RowState<T> state) {
    auto *const to_m = static_cast<T *>(a.m) + row;
    T m = state.m, s;
    if (state.infinite()) {
        m = state.nan ? not_a_number<T>() : m;
        s = m < 0 ? T(0) : not_a_number<T>();
    } else {
        s = state.sum();
        m = s == s ? m : s;
    }
    if (a.operation == RowsOperation::normalizer) {
        *to_m = m;
        static_cast<T *>(a.s)[row] = s;
    } else {
        *to_m = m - m == 0 ? log_pair(s).plus(m) : m;
    }
}

} // namespace fastsoftmax::cuda
