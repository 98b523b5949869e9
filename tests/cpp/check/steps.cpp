// `scan` and `update`: against the recurrence in double, fed with the weights that the `weight`
// kernel of the same ISA gives. A raw recurrence is the published formula: on its domain it must be
// s + h(d), and `scan` must be `update` done again and again.
#include "check/checks.hpp"
#include "kernels/arguments.hpp"

#include <cmath>
#include <random>

namespace check {
namespace {

using fastsoftmax::ScanArguments;
using fastsoftmax::UpdateArguments;
using fastsoftmax::WeightArguments;

/// Rows longer than this are left out: a float chain of n additions may lose n * 6e-8.
constexpr std::size_t longest_scan = 200000, longest_raw_scan = 1100;
template <class T> constexpr double one_rounding = sizeof(T) == 4 ? 6e-8 : 1.2e-16;
template <class T> constexpr double one_update = sizeof(T) == 4 ? 4e-7 : 2e-15;
/// Weights in float stand in for weights in double, which only the exact variant has.
constexpr double borrowed_weight = 2e-5;

bool is_raw(const Kernel &kernel) { return std::string_view(kernel.variant.rescale) == "nothing"; }
bool rescales_by_exp(const Kernel &kernel) {
    return std::string_view(kernel.variant.rescale) == "exp" && !is_exact(kernel);
}

/// The weight kernel beside a row; in float where its dtype has none. nullptr: there is none at
/// all.
const Kernel *step_weight(const Kernel &kernel) {
    std::string name = kernel.variant.name;
    if (is_raw(kernel) && name.ends_with("_raw"))
        name.resize(name.size() - 4);
    const auto find = [&](const char *dtype) {
        return fastsoftmax::find_kernel("weight", name, dtype, kernel.isa);
    };
    const Kernel *own = find(kernel.dtype);
    return own ? own : find("float32");
}

bool is_borrowed(const Kernel &kernel) {
    const Kernel *weight = step_weight(kernel);
    return weight && std::string_view(weight->dtype) != kernel.dtype;
}

template <class T>
std::vector<double> weights_of(const Kernel &weight, const std::vector<double> &d) {
    std::vector<T> from(d.begin(), d.end()), to(d.size());
    fastsoftmax::call(weight, WeightArguments<T>{from.data(), to.data(), d.size()});
    return {to.begin(), to.end()};
}

std::vector<double> negative(std::vector<double> d) {
    for (double &distance : d)
        distance = -std::abs(distance);
    return d;
}

/// h(-|d|) by the weight kernel.
template <class T>
std::vector<double> weights_below(const Kernel &kernel, const std::vector<double> &d) {
    const Kernel &weight = *step_weight(kernel);
    return is_borrowed(kernel) ? weights_of<float>(weight, negative(d))
                               : weights_of<T>(weight, negative(d));
}

/// h(-|d|) in T: where there is no weight kernel, the update of an empty state adds just that.
template <class T>
std::vector<double> steps_below(const Kernel &kernel, const std::vector<double> &d) {
    const Kernel *update =
        fastsoftmax::find_kernel("update", kernel.variant.name, kernel.dtype, kernel.isa);
    if (!is_borrowed(kernel) || !update)
        return weights_below<T>(kernel, d);
    const std::vector<double> below = negative(d);
    const std::vector<T> zero(d.size()), x(below.begin(), below.end());
    std::vector<T> h(d.size());
    fastsoftmax::call(
        *update, UpdateArguments<T>{zero.data(), zero.data(), x.data(), h.data(), d.size(), 1});
    return {h.begin(), h.end()};
}

/// s after a whole row, in double; `steps` counts the new maxima.
template <class T>
double recurrence(const Kernel &kernel, const T *x, std::size_t n, std::size_t &new_maxima) {
    std::vector<double> d(n + 1, 0); // the last one stays 0: h(0)
    T m = -INFINITY;
    for (std::size_t i = 0; i < n; ++i) {
        // in the type of the kernel, whose rounding of x - m is its own affair
        d[i] = static_cast<double>(x[i] == m ? T(0) : flushed(x[i]) - flushed(m));
        m = std::max(m, x[i]);
    }
    const std::vector<double> h = steps_below<T>(kernel, d);
    double s = 0;
    for (std::size_t i = 0; i < n; ++i)
        if (d[i] > 0) {
            s = s * (rescales_by_exp(kernel) ? std::exp(-d[i]) : h[i]) + h[n];
            ++new_maxima;
        } else {
            s += h[i];
        }
    return s;
}

template <class T> bool same(T a, T b) { return a == b || (std::isnan(a) && std::isnan(b)); }

template <class T>
std::string raw_scan_verdict(const Kernel &kernel, const T *x, std::size_t n, T m, T s) {
    const Kernel *update =
        fastsoftmax::find_kernel("update", kernel.variant.name, kernel.dtype, kernel.isa);
    if (!update)
        return "has no update kernel beside it";
    T want_m = n > 0 ? x[0] : -INFINITY, want_s = n > 0 ? 1 : 0;
    for (std::size_t i = 1; i < n; ++i) {
        T next = 0;
        fastsoftmax::call(*update, UpdateArguments<T>{&want_m, &want_s, x + i, &next, 1, 1});
        want_s = next;
        want_m = x[i] > want_m ? x[i] : want_m;
    }
    if (same(flushed(m), flushed(want_m)) && same(s, want_s))
        return "";
    return text("s = %.9g, but its updates one by one give %.9g", s, want_s);
}

template <class T>
std::string scan_verdict(const Kernel &kernel, const RowTruth<T> &truth, const T *x, std::size_t n,
                         T m, T s, Report &report) {
    const std::string got = text("(m, s) = (%.9g, %.9g) instead of ", m, s);
    if (truth.nan)
        return std::isnan(m) && std::isnan(s) ? "" : got + "(nan, nan)";
    if (truth.infinite)
        return m == truth.m && std::isnan(s) ? "" : got + "(inf, nan)";
    if (truth.empty)
        return m == truth.m && s == 0 ? "" : got + "(-inf, 0)";
    std::size_t new_maxima = 0;
    const double want = recurrence(kernel, x, n, new_maxima);
    const double error = std::abs(static_cast<double>(s) - want) / want;
    const double allowed = static_cast<double>(n) * one_rounding<T> +
                           static_cast<double>(1 + new_maxima) * one_update<T>;
    if (flushed(m) == flushed(truth.m) && error <= allowed) {
        report.error(kernel, "relative error of s against its recurrence", error);
        return "";
    }
    return got + text("(%.9g, %.9g)", truth.m, want);
}

struct Tuples {
    std::vector<double> m, s, x;
};

/// States and logits: usual steps, new maxima, far and near ones. m = 0 where `at_zero`, so that
/// x - m is exact and a jump of the surrogate lies on the same side in every formula.
Tuples make_tuples(bool at_zero) {
    std::mt19937_64 engine(9);
    std::uniform_real_distribution<double> unit(0, 1);
    Tuples t;
    for (int i = 0; i < 4099; ++i) {
        const double reach = i % 5 == 0 ? 90 : i % 5 == 1 ? 1e-3 : 6;
        const double d = i % 4 == 3 && !at_zero ? reach * unit(engine) : -reach * unit(engine);
        const double m = at_zero ? 0 : static_cast<float>(6 * unit(engine) - 3);
        t.m.push_back(m);
        t.x.push_back(static_cast<float>(m + d));
        t.s.push_back(static_cast<float>(i % 7 == 0 ? 1 : 1000 * unit(engine) * unit(engine)));
    }
    return t;
}

} // namespace

template <class T> void check_scan(Context<T> &context, const Kernel &kernel, Report &report) {
    const Case<T> &data = context.data;
    if (!step_weight(kernel))
        return report.fail(kernel, "table", "has no weight kernel beside it");
    if (data.n > (is_raw(kernel) ? longest_raw_scan : longest_scan))
        return;
    std::vector<T> m(data.rows), s(data.rows);
    run(kernel, ScanArguments<T>{data.row(0), data.stride, data.rows, data.n, m.data(), s.data()},
        report);
    for (std::size_t r = 0; r < data.rows; ++r) {
        const T *x = data.row(r);
        const std::string verdict =
            is_raw(kernel) ? raw_scan_verdict(kernel, x, data.n, m[r], s[r])
                           : scan_verdict(kernel, context.truth[r], x, data.n, m[r], s[r], report);
        if (!verdict.empty())
            report.fail(kernel,
                        data.name + ", n = " + std::to_string(data.n) + ", row " +
                            std::to_string(r),
                        verdict);
    }
}

template <class T> void check_update(const Kernel &kernel, Report &report) {
    if (!step_weight(kernel))
        return report.fail(kernel, "table", "has no weight kernel beside it");
    const Tuples t = make_tuples(is_raw(kernel));
    const std::size_t n = t.m.size();
    const std::vector<T> m(t.m.begin(), t.m.end()), s(t.s.begin(), t.s.end()),
        x(t.x.begin(), t.x.end());
    std::vector<T> got(n + 1, -1), again(n + 1, -1);
    run(kernel, UpdateArguments<T>{m.data(), s.data(), x.data(), got.data(), n, 1}, report);
    run(kernel, UpdateArguments<T>{m.data(), s.data(), x.data(), again.data(), n, 2}, report);
    run(kernel, UpdateArguments<T>{m.data(), s.data(), x.data(), got.data() + n, 0, 1}, report);
    if (got != again || got[n] != -1)
        report.fail(kernel, "tuples", "depends on repeats, or writes too much");

    std::vector<double> d(n + 1, 0);
    for (std::size_t i = 0; i < n; ++i)
        d[i] = static_cast<double>(x[i] - m[i]);
    const std::vector<double> h = weights_below<T>(kernel, d);
    const double domain = step_weight(kernel)->variant.domain;
    for (std::size_t i = 0; i < n; ++i) {
        if (is_raw(kernel) && d[i] < domain)
            continue; // there the formula isn't s + h(d) any more
        const double factor = rescales_by_exp(kernel) ? std::exp(-std::abs(d[i])) : h[i];
        const double state = static_cast<double>(s[i]);
        const double want = d[i] > 0 ? state * factor + h[n] : state + h[i];
        const double error = std::abs(static_cast<double>(got[i]) - want) / want;
        const double allowed = is_raw(kernel)
                                   ? borrowed_weight
                                   : one_update<T> + (is_borrowed(kernel) ? borrowed_weight : 0);
        report.error(kernel, "relative error against its weight", error);
        // and by the claimed bound of the weight, against the true exponential
        const double e = std::exp(-std::abs(d[i])), b = kernel.variant.bound;
        const double truth = d[i] > 0 ? state * e + 1 : state + e;
        const double claim = is_exact(kernel) ? kernel.bound * truth
                                              : b * (d[i] > 0 ? 1 + state : 1) + allowed * truth;
        const bool claimed =
            is_raw(kernel) || std::abs(static_cast<double>(got[i]) - truth) <= claim;
        if (!(error <= allowed) || !claimed)
            return report.fail(
                kernel, "tuple " + std::to_string(i),
                text("s = %.9g instead of %.9g at x - m = %.9g", got[i], want, d[i]));
    }
}

static const OperationChecks scan("scan", check_scan<float>, check_scan<double>);
static const OperationChecks update("update", check_update<float>, check_update<double>);

} // namespace check
