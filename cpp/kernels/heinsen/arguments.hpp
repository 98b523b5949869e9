// What the Heinsen kernels take. How a state lies in memory: common/heinsen_layout.hpp.
#pragma once
#include "common/heinsen_layout.hpp"
#include "kernels/arguments.hpp"

namespace fastsoftmax {

/// Adds k[t], v[t] to the state (where k is given) and answers q[t] in y[t] (where q is given);
/// with both, query t sees what was there and tokens 0..t. Rows are contiguous and neighbours. With
/// n = 0, no token is left waiting.
template <class T> struct HeinsenArguments {
    static constexpr const char *op = "heinsen";
    using scalar = T;
    /// The state in its two parts, so that threads may share a head by panels of A.
    T *weights, *A, *scratch;
    const T *q, *k, *v;
    T *y;
    std::size_t n, d_k, d_v;
    /// The columns to work on: `first` is a multiple of heinsen_block, and so is `last`, or it is
    /// d_v.
    std::size_t first, last;
    /// Heads that follow one another, with states of so many elements. One call for all saves what
    /// a call costs, a tenth of a token.
    std::size_t heads = 1, state_size = 0;
};

/// Calls f with what belongs to each head. A single one is spared the copy, whose loads would wait
/// for the stores that made it.
template <class Arguments, class F> FS_INLINE void each_head(const Arguments &all, const F &f) {
    if (all.heads == 1)
        return f(all);
    Arguments a = all;
    const auto move = [](auto *&array, std::size_t elements) __attribute__((always_inline)) {
        if (array)
            array += elements;
    };
    for (std::size_t head = 0; head < all.heads; ++head) {
        f(a);
        a.weights += a.state_size, a.A += a.state_size;
        move(a.q, a.n * a.d_k), move(a.k, a.n * a.d_k);
        move(a.v, a.n * a.d_v), move(a.y, a.n * a.d_v);
    }
}

/// The same where v are logarithms, and y, too, if log_output says so.
template <class T> struct HeinsenLogArguments : HeinsenArguments<T> {
    static constexpr const char *op = "heinsen_log";
    bool log_output;
};

} // namespace fastsoftmax
