// The hand-written variants: exp with polynomials of several degrees. The others are generated.
//
// A variant is a type with info(), a weight for rows (`Weight<V, By>`), and what `scan` needs:
// `rescale`, saying what s is multiplied by on a new maximum.
#pragma once
#include "common/claims.hpp"
#include "common/weights/exp.hpp"
#include "common/weights/exp_table.hpp"
#include "common/weights/surrogate.hpp"
#include <type_traits>

namespace fastsoftmax {

/// What rescales s in the step-by-step recurrence when a new maximum appears.
enum class Rescale { by_weight, by_exp };

template <class T> inline constexpr int exact_degree = sizeof(T) == 4 ? 6 : 11;

/// The weight that `exact` has on V.
template <class V, Shift By>
using ExactWeight = std::conditional_t<HasPowerTable<V>, ExpTableWeight<V, By>,
                                       ExpWeight<V, exact_degree<typename V::scalar>, By>>;

namespace variant {

/// Facts shared by the variants of exp. None is monotone: roundings differ by one unit in the last
/// place, and at the seams between two powers of two by the polynomial's error.
constexpr VariantInfo exp_info(const char *name, int degree, double bound, double value_at_zero,
                               const char *rescale, const char *source) {
    return {.name = name,
            .form = "exp",
            .bound = bound,
            .bound_kind = claims::absolute_weight,
            .domain = ExpConstants<float>::lowest,
            .value_at_zero = value_at_zero,
            .tail = 0.0,
            .monotone = false,
            .operations = 8 + 2 * degree,
            .rescale = rescale,
            .source = source};
}

struct exact {
    static constexpr VariantInfo info() {
        return exp_info("exact", 6, 7e-8, 1.0, "exp", "minimax polynomial, degree 6 (float64: 11)");
    }
    static constexpr Rescale rescale = Rescale::by_weight;
    template <class V, Shift By> using Weight = ExactWeight<V, By>;
};

template <int Degree> struct poly {
    static constexpr Rescale rescale = Rescale::by_weight;
    template <class V, Shift By> using Weight = ExpWeight<V, Degree, By>;
};

struct poly2 : poly<2> {
    static constexpr VariantInfo info() {
        return exp_info("poly2", 2, 1.73e-3, 1.000443, "h", "minimax polynomial, degree 2");
    }
};
struct poly3 : poly<3> {
    static constexpr VariantInfo info() {
        return exp_info("poly3", 3, 7.5e-5, 0.999928, "h", "minimax polynomial, degree 3");
    }
};
struct poly4 : poly<4> {
    static constexpr VariantInfo info() {
        return exp_info("poly4", 4, 2.7e-6, 0.9999993, "h", "minimax polynomial, degree 4");
    }
};

/// A surrogate from surrogates.toml.
template <class Surrogate> struct generated {
    static constexpr VariantInfo info() { return Surrogate::info(); }
    static constexpr Rescale rescale =
        Surrogate::rescales_by_h ? Rescale::by_weight : Rescale::by_exp;
    template <class V, Shift By> using Weight = SurrogateWeight<Surrogate, V, By>;
};

} // namespace variant
} // namespace fastsoftmax
