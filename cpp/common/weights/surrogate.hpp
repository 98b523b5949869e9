// A generated surrogate h as a weight for softmax: h(x - m), exactly 0 below its domain.
//
// The generated header gives h as a function of d = x - m, or of u = d - domain >= 0. In the second
// form the domain's edge is folded into m, so u costs one subtraction and one maximum like d does.
// Below the domain the weight is exactly 0: a floor that leaks would take most of the mass of a
// long row. Where h is 0 at the edge by itself, the argument is clamped there, the constant first
// in max, so that NaN survives. Where it isn't, h runs free below the edge and is masked
// afterwards.
#pragma once
#include "common/config.hpp"
#include "common/weights/shift.hpp"

namespace fastsoftmax {

template <class Surrogate, class V, Shift By = Shift::none> class SurrogateWeight {
    using T = typename V::scalar;
    static constexpr bool folded = Surrogate::argument_is_u;

  public:
    FS_INLINE explicit SurrogateWeight(V m)
        : origin_(folded && By == Shift::none ? m + V::set(Surrogate::domain) : m) {}
    FS_INLINE explicit SurrogateWeight(T m) : SurrogateWeight(V::set(m)) {}

    FS_INLINE V operator()(V x) const {
        V a = x - origin_;
        if constexpr (folded && By == Shift::by_maximum)
            a = a - V::set(Surrogate::domain);
        const V edge = V::set(folded ? 0.0 : Surrogate::domain);
        if constexpr (Surrogate::masked)
            return V::zero_where_le(Surrogate::template h<V>(a), a, edge);
        else
            return Surrogate::template h<V>(V::max(edge, a));
    }

    /// From here on m is subtracted first: m + domain would round u by more than h can bear.
    static constexpr T limit() { return folded ? T(64) : T(__builtin_inf()); }
    static constexpr double domain() { return Surrogate::domain; }

    /// What depends on m, for as many rows as V has lanes; and the weight for one of those rows.
    struct Prepared {
        T origin[V::lanes];
    };
    FS_INLINE void prepare(Prepared &rows) const { origin_.store(rows.origin); }
    FS_INLINE SurrogateWeight(const Prepared &rows, int i) : origin_(V::set(rows.origin[i])) {}

  private:
    V origin_;
};

} // namespace fastsoftmax
