// The hand-written variants: exp with polynomials of several degrees. The others are generated.
//
// A variant is a type with info(), a weight for rows (`Weight<V, Shifted>`), and what `scan` needs:
// `rescale`, saying what s is multiplied by on a new maximum.
#pragma once
#include "common/exp.hpp"
#include "common/surrogate.hpp"
#include "common/variant_info.hpp"

namespace fastsoftmax {

/// What rescales s in the step-by-step recurrence when a new maximum appears.
enum class Rescale { by_weight, by_exp };

template <class T> inline constexpr int exact_degree = sizeof(T) == 4 ? 6 : 11;

namespace variant {

struct exact {
    static constexpr VariantInfo info() {
        return {"exact",
                "exp",
                6e-8,
                "absolute, weight",
                -87.25,
                1.0,
                0.0,
                false,
                20,
                "exp",
                "minimax polynomial of degree 6 (float32) or 11 (float64)"};
    }
    static constexpr Rescale rescale = Rescale::by_weight;
    template <class V, bool Shifted>
    using Weight = ExpWeight<V, exact_degree<typename V::scalar>, Shifted>;
};

template <int Degree> struct poly {
    static constexpr Rescale rescale = Rescale::by_weight;
    template <class V, bool Shifted> using Weight = ExpWeight<V, Degree, Shifted>;
};

struct poly2 : poly<2> {
    static constexpr VariantInfo info() {
        return {"poly2",
                "exp",
                1.73e-3,
                "absolute, weight",
                -87.25,
                1.00044,
                0.0,
                true,
                12,
                "h",
                "minimax polynomial of degree 2"};
    }
};
struct poly3 : poly<3> {
    static constexpr VariantInfo info() {
        return {"poly3",
                "exp",
                7.5e-5,
                "absolute, weight",
                -87.25,
                0.999928,
                0.0,
                false,
                14,
                "h",
                "minimax polynomial of degree 3"};
    }
};
struct poly4 : poly<4> {
    static constexpr VariantInfo info() {
        return {"poly4",
                "exp",
                2.7e-6,
                "absolute, weight",
                -87.25,
                0.999999,
                0.0,
                false,
                16,
                "h",
                "minimax polynomial of degree 4"};
    }
};

/// A surrogate from surrogates.toml.
template <class Surrogate> struct generated {
    static constexpr VariantInfo info() { return Surrogate::info(); }
    static constexpr Rescale rescale =
        Surrogate::rescales_by_h ? Rescale::by_weight : Rescale::by_exp;
    template <class V, bool Shifted> using Weight = SurrogateWeight<Surrogate, V, Shifted>;
};

} // namespace variant
} // namespace fastsoftmax
