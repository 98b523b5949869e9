// One online update of each of many states: s_new for tuples (m, s, x). For study: the experiment
// of the Softmaxxing article, which times the update on precomputed tuples rather than along a row.
//
// The same arithmetic as scan.hpp; a tuple's m may be anything finite. `repeats` keeps the caller's
// overhead out of a measurement.
#pragma once
#include "common/claims.hpp"
#include "kernels/operations/scan.hpp"

namespace fastsoftmax {

template <class Variant, class V> struct Update {
    using T = typename V::scalar;
    using Arguments = UpdateArguments<T>;
    static constexpr Claim exact_claim = claims::update;

    static void run(const Arguments &a) {
        const OnlineUpdate<Variant, V> update;
        for (std::size_t pass = 0; pass < a.repeats; ++pass)
            for (std::size_t i = 0; i < a.n; ++i)
                a.s_new[i] = update({a.m[i], a.s[i]}, a.x[i]).s;
    }
};

template <class Surrogate, class V> struct Update<Raw<Surrogate>, V> {
    using T = typename V::scalar;
    using Arguments = UpdateArguments<T>;

    static void run(const Arguments &a) {
        for (std::size_t pass = 0; pass < a.repeats; ++pass)
            for (std::size_t i = 0; i < a.n; ++i)
                a.s_new[i] = Surrogate::template g<V>(V{a.m[i]}, V{a.s[i]}, V{a.x[i]}).v;
    }
};

} // namespace fastsoftmax
