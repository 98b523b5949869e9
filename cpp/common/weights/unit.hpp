// What the weight of the maximum itself is. The weights of exp are relative to a power of two near
// e^m (exp.hpp), so a sum of them is a sum of e^(x - m) times this. It is taken by the exact
// variant: the error of its reduction is the one that all weights of the row have, and cancels.
#pragma once
#include "common/weights/variants.hpp"

namespace fastsoftmax {

template <class Weight, class V> struct UnitWeight {
    static FS_INLINE V at(V) { return V::set(1.0); }
};
template <class V, int Degree, Shift By> struct UnitWeight<ExpWeight<V, Degree, By>, V> {
    static FS_INLINE V at(V m) { return ExactWeight<V, By>(m)(m); }
};
template <class V, Shift By> struct UnitWeight<ExpTableWeight<V, By>, V> {
    static FS_INLINE V at(V m) { return ExpTableWeight<V, By>(m)(m); }
};

/// The same for one row.
template <class V, class Weight> FS_INLINE double unit_weight(typename V::scalar m) {
    return V::reduce_max(UnitWeight<Weight, V>::at(V::set(m)));
}

} // namespace fastsoftmax
