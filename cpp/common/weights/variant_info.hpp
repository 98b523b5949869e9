// What the table says of a variant: one description, read by the registry, Python, tests and bench.
#pragma once

namespace fastsoftmax {

/// Facts about one variant of exp. `d` is x - m, the distance below the row maximum.
struct VariantInfo {
    const char *name;
    /// How the weight is written: "exp", "h(d)", "h(u)" (u = d - domain) or "g(m, s, x)".
    const char *form;
    /// Claimed error bound; `bound_kind` says of what.
    double bound;
    /// "absolute, weight": |h(d) - e^d| for every d <= 0. "none": a recurrence without a bound.
    const char *bound_kind;
    /// Lower end of the domain of d; the upper end is 0.
    double domain;
    /// h(0), as float32 arithmetic gives it.
    double value_at_zero;
    /// Weight of any d below the domain.
    double tail;
    /// Whether h never decreases in float32, so that softmax keeps the order of the logits.
    bool monotone;
    /// Arithmetic operations from x with m known, none fused, without the sum.
    int operations;
    /// What rescales s in `scan` when a new maximum appears: "exp", "h" or "nothing".
    const char *rescale;
    /// Where the variant comes from.
    const char *source;
};

} // namespace fastsoftmax
