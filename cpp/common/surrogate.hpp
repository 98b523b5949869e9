// A generated surrogate h as a weight for softmax: h(x - m), exactly 0 below its domain.
//
// The generated header gives h as a function of d = x - m, or of u = d - domain >= 0. In the second
// form the domain's edge is folded into m, so u costs one subtraction and one maximum like d does.
// Where h isn't 0 by itself at the edge, it is masked there: a floor that leaks would take most of
// the mass of a long row. The constant comes first in max, so NaN survives the clamp.
#pragma once
#include "common/config.hpp"

namespace fastsoftmax {

template <class Surrogate, class V, bool Shifted = false> class SurrogateWeight {
    using T = typename V::scalar;
    static constexpr bool folded = Surrogate::argument_is_u;

  public:
    FS_INLINE explicit SurrogateWeight(T m)
        : origin_(V::set(folded && !Shifted ? m + T(Surrogate::domain) : m)) {}

    FS_INLINE V operator()(V x) const {
        V a = x - origin_;
        if constexpr (folded && Shifted)
            a = a - V::set(Surrogate::domain);
        const V edge = V::set(folded ? 0.0 : Surrogate::domain);
        a = V::max(edge, a);
        const V h = Surrogate::template h<V>(a);
        if constexpr (Surrogate::masked)
            return V::zero_where_le(h, a, edge);
        else
            return h;
    }

    /// From here on m is subtracted first: m + domain would round u by more than h can bear.
    static constexpr T limit() { return folded ? T(64) : T(__builtin_inf()); }
    static constexpr double domain() { return Surrogate::domain; }

  private:
    V origin_;
};

} // namespace fastsoftmax
