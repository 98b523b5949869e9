// The weight h(d) of each of many d <= 0, in a row whose maximum is 0. For study and for tests: it
// is the very functor of the row kernels, so sweeping it over every float proves their error bound.
//
// Error of exact, float32: 1.2e-7 relative for d > -20, growing to 3.1e-7 at -87 where the
// reduction takes one step (exp.hpp): within the absolute error that a probability may have.
#pragma once
#include "common/claims.hpp"
#include "kernels/arguments.hpp"
#include "kernels/rows/passes.hpp"

namespace fastsoftmax {

template <class Variant, class V> struct Weigh {
    using T = typename V::scalar;
    using Arguments = WeightArguments<T>;
    static constexpr Claim exact_claim = claims::weight;

    static void run(const Arguments &a) {
        const typename Variant::template Weight<V, Shift::none> weight(T(0));
        std::size_t i = 0;
        for (; i + V::lanes <= a.n; i += V::lanes)
            weight(V::load(a.d + i)).store(a.h + i);
        if (i < a.n)
            weight(V::load_n(a.d + i, a.n - i, lowest_value<V>())).store_n(a.h + i, a.n - i);
    }
};

} // namespace fastsoftmax
