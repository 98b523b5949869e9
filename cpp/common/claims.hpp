// What kernels claim of their results, each claim once: fastsoftmax.kernels() shows the same for
// the CPU and for CUDA, and tests hold both to it. Where a bound comes from stands with the kernel.
#pragma once
#include "common/weights/variant_info.hpp"

namespace fastsoftmax {

/// A bound of an error in each dtype, and of what.
struct Claim {
    double float32, float64;
    const char *kind;

    template <class T> constexpr double bound() const { return sizeof(T) == 4 ? float32 : float64; }
};

namespace claims {

// Of `exact`
inline constexpr Claim probability{5e-7, 4e-15, "relative, probability, x - max > -20"};
inline constexpr Claim log_probability{5e-7, 4e-15, "absolute, log probability, and two roundings"};
inline constexpr Claim normalizer{5e-7, 4e-15, "relative, s"};
inline constexpr Claim weight{3.5e-7, 1e-15, "relative, weight, d > -87.25 (float64: -708)"};
/// One update of `scan`, besides the error of the weight: three roundings.
inline constexpr Claim update{4e-7, 2e-15, "relative, s, one update"};
inline constexpr Claim heinsen{5e-6, 1e-13, "relative to weighted |v|, 1000 tokens"};
inline constexpr Claim heinsen_log{5e-6, 1e-13, "relative to y, 1000 tokens"};

/// What other variants bound: the error of a weight, from which that of an operation follows.
inline constexpr const char *absolute_weight = "absolute, weight";

/// A variant of int8 rows, whose weights are integers and a function of the integer d = m - x.
constexpr VariantInfo exact_bits(const char *name, const char *form, int operations,
                                 const char *source) {
    return {.name = name,
            .form = form,
            .bound = 0,
            .bound_kind = "exact bits",
            .domain = -255,
            .value_at_zero = 1,
            .tail = 0,
            .monotone = true,
            .operations = operations,
            .rescale = "nothing",
            .source = source};
}

} // namespace claims
} // namespace fastsoftmax
