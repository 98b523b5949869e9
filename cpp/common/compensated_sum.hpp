// Sums of weights that lose next to nothing: trees in float, everything above them compensated.
//
// Eight weights are added in float by a tree, three roundings deep; all further additions keep
// aside what they round off. One logit far above thousands of others would else lose them one by
// one: chains of eight, once here, cost such rows 9e-7. One row of 2^24 is as exact as one of 2^4.
#pragma once
#include "common/config.hpp"
#include <cstddef>

namespace fastsoftmax {

/// A sum in double that keeps aside what its additions round off (Knuth's two-sum).
struct CompensatedSum {
    double total = 0, lost = 0;

    FS_INLINE void add(double part) {
        const double sum = total + part, share = sum - total;
        lost += (total - (sum - share)) + (part - share);
        total = sum;
    }
    /// By a power of two, so exact.
    FS_INLINE void scale(double factor) {
        total *= factor;
        lost *= factor;
    }
    FS_INLINE double value() const { return total + lost; }
};

/// The same in every lane of a vector.
template <class V> struct CompensatedLanes {
    V total = V::set(0.0), lost = V::set(0.0);

    FS_INLINE void add(V part) {
        const V sum = total + part, share = sum - total;
        lost = lost + ((total - (sum - share)) + (part - share));
        total = sum;
    }
    /// By powers of two, so exact.
    FS_INLINE void scale(V factor) {
        total = total * factor;
        lost = lost * factor;
    }
};

/// Vectors that are added by one tree. One lane has too few registers for eight.
template <class V> inline constexpr int tree_size = V::lanes == 1 ? 4 : 8;

/// take(j) + ... + take(j + Count - 1), added by a tree.
template <int Count, class V, class F> FS_INLINE V tree_sum(const F &take, std::size_t j = 0) {
    if constexpr (Count == 1)
        return take(j);
    else
        return tree_sum<Count - Count / 2, V>(take, j) +
               tree_sum<Count / 2, V>(take, j + (Count - Count / 2));
}

} // namespace fastsoftmax
