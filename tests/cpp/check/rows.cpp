// `online` and `normalizer`: exact ones against the truth by their bound; the others against the
// truth by the bound of their weight, and against the weights that the same ISA gives one by one.
#include "check/checks.hpp"
#include "kernels/arguments.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

namespace check {
namespace {

using fastsoftmax::NormalizerArguments;
using fastsoftmax::OnlineArguments;

/// A row agrees with its weights normalised in double up to this: folding the domain's edge into m
/// rounds u by up to 1e-5.
constexpr double agreement = 2e-5;
/// Sums and quotient of a row besides its weights.
constexpr double rounding = 5e-7;
/// Of an exact probability, whatever the distance from the maximum.
template <class T> constexpr double absolute_bound = sizeof(T) == 4 ? 3e-7 : 4e-15;
/// Down to here the relative bound holds (float64: as far as results are normal).
template <class T> constexpr double relative_floor = sizeof(T) == 4 ? -20 : -690;
template <class T> constexpr T canary = T(-12345.678);
/// Longer rows may take another way in place, with other bits.
constexpr std::size_t same_in_place = 1 << 16;

bool is_exp(const Kernel &kernel) { return std::string_view(kernel.variant.form) == "exp"; }

std::string where(const std::string &name, std::size_t n, std::size_t r) {
    return name + ", n = " + std::to_string(n) + ", row " + std::to_string(r);
}

/// One probability of an ordinary row, against the truth p and the weight h.
struct Expected {
    double d, p, h;
};

template <class T> class OnlineRow {
  public:
    OnlineRow(Context<T> &context, const Kernel &kernel, std::size_t r)
        : truth_(context.truth[r]), x_(context.data.row(r)), n_(context.data.n), row_(kernel),
          weights_(context.weights(*weight_kernel<T>(kernel), r)) {
        for (std::size_t i = 0; i < n_; ++i) {
            sum_ += static_cast<double>(weights_[i]);
            counted_ += std::isfinite(x_[i]);
        }
    }

    /// Empty, or what is wrong with y.
    std::string verdict(const T *y, Report &report) {
        const std::string problem = elements_verdict(y);
        report.error(row_, "absolute error", absolute_.value());
        if (is_exact(row_))
            report.error(row_, "relative error", relative_.value());
        return problem.empty() && row_.variant.monotone ? order_verdict(y) : problem;
    }

  private:
    std::string elements_verdict(const T *y) {
        for (std::size_t i = 0; i < n_; ++i) {
            const Wide<T> p = truth_.e[i] / truth_.s;
            const double error = static_cast<double>(std::abs(y[i] - p));
            const Expected expected{static_cast<double>(static_cast<Wide<T>>(x_[i]) - truth_.m),
                                    static_cast<double>(p), static_cast<double>(weights_[i])};
            if (!(error <= tolerance(expected, error)))
                return "p[" + std::to_string(i) + "] = " +
                       text("%.9g instead of %.9g at x - m = %.9g", y[i], expected.p, expected.d);
            if (expected.d < below_domain() && y[i] != 0)
                return text("%.9g at x - m = %.9g, below the domain from %.9g", y[i], expected.d,
                            row_.variant.domain);
            if (const double w = expected.h / sum_;
                !is_exp(row_) && !(std::abs(y[i] - w) <= agreement * w + edge(expected)))
                return text("%.9g, but its weight gives %.9g at x - m = %.9g", y[i], w, expected.d);
        }
        return "";
    }
    double tolerance(const Expected &e, double error) {
        const bool near = e.d > relative_floor<T>;
        absolute_.add(error);
        if (is_exact(row_)) {
            if (near)
                relative_.add(error / e.p);
            return near ? std::min(row_.bound * e.p, absolute_bound<T>) : absolute_bound<T>;
        }
        // |h - e^d| <= b for each weight; no more than `counted` of them take part in the sums
        const double b = row_.variant.bound;
        const double through_sums = b * (1 + static_cast<double>(counted_) * e.p) / sum_;
        const double usual = through_sums + agreement * e.p + absolute_bound<T>;
        // an exp of lower degree has a relative error, too: of e^d and of the sum
        return is_exp(row_) && near ? std::min(usual, (3 * b + rounding) * e.p) : usual;
    }
    /// From here down nothing may be left. Long rows of exp have maxima of their own in each block.
    double below_domain() const {
        if (is_exact(row_))
            return sizeof(T) == 4 ? -104 : -745;
        return 1.0001 * row_.variant.domain - 2e-3;
    }
    /// Where d rounds to either side of the domain's edge the weight may be there or not.
    double edge(const Expected &e) const {
        const double span = 1e-4 + 1e-6 * std::abs(static_cast<double>(truth_.m));
        return std::abs(e.d - row_.variant.domain) < span ? row_.variant.bound / sum_ : 0;
    }
    std::string order_verdict(const T *y) const {
        if (n_ > 200)
            return "";
        std::vector<std::size_t> index(n_);
        std::iota(index.begin(), index.end(), 0);
        std::ranges::sort(index, {}, [this](std::size_t i) { return x_[i]; });
        for (std::size_t i = 1; i < n_; ++i)
            if (y[index[i]] < y[index[i - 1]])
                return text("%.9g at x = %.9g is out of order: monotone is claimed", y[index[i]],
                            x_[index[i]]);
        return "";
    }

    const RowTruth<T> &truth_;
    const T *x_;
    std::size_t n_;
    const Kernel &row_;
    const T *weights_;
    double sum_ = 0;
    std::size_t counted_ = 0;
    Largest absolute_, relative_;
};

/// Without s, a normalizer gives the logarithm: m + log s, rounded once.
template <class T>
void check_log_sum_exp(const Context<T> &context, const Kernel &kernel, const T *m, const T *s,
                       Report &report) {
    const Case<T> &data = context.data;
    std::vector<T> log(data.rows + 2, canary<T>);
    run(kernel,
        NormalizerArguments<T>{data.row(0), data.stride, data.rows, data.n, log.data() + 1,
                               nullptr},
        report);
    if (log[0] != canary<T> || log.back() != canary<T>)
        report.fail(kernel, where(data.name, data.n, 0), "writes logarithms outside its results");
    for (std::size_t r = 0; r < data.rows; ++r) {
        const T got = log[r + 1];
        const Wide<T> sum = std::isfinite(m[r])
                                ? Wide<T>(flushed(m[r])) + std::log(static_cast<Wide<T>>(s[r]))
                                : static_cast<Wide<T>>(m[r]);
        const Wide<T> unit = std::numeric_limits<T>::epsilon();
        // the logarithm itself has the precision of double
        const Wide<T> allowed = unit / 2 * std::abs(sum) + Wide<T>(0x1p-50);
        const bool same = std::isfinite(m[r]) ? std::abs(got - sum) <= allowed
                                              : std::isnan(got) == std::isnan(m[r]) &&
                                                    (std::isnan(got) || got == m[r]);
        if (!same)
            report.fail(kernel, where(data.name, data.n, r),
                        text("log-sum-exp is %.9g instead of %.9g", got, static_cast<double>(sum)));
    }
}

template <class T> bool canaries_alive(const std::vector<T> &y, const Case<T> &layout) {
    std::size_t next = 0;
    for (std::size_t r = 0; r <= layout.rows; ++r) {
        const std::size_t row =
            r < layout.rows ? static_cast<std::size_t>(layout.row(r) - layout.storage.data())
                            : y.size();
        for (; next < row; ++next)
            if (y[next] != canary<T>)
                return false;
        next = row + layout.n;
    }
    return true;
}

/// The bits of a row don't depend on how it is run.
template <class T>
void compare(const Context<T> &context, const Kernel &kernel, const Case<T> &usual,
             const Case<T> &other, const std::string &how, Report &report) {
    for (std::size_t r = 0; r < usual.rows; ++r)
        if (usual.n > 0 && context.truth[r].ordinary() && // NaN have many patterns
            std::memcmp(usual.row(r), other.row(r), usual.n * sizeof(T)) != 0)
            report.fail(kernel, where(usual.name, usual.n, r), "gives other bits " + how);
}

} // namespace

template <class T>
void judge_probabilities(Context<T> &context, const Kernel &kernel, const Case<T> &y,
                         Report &report) {
    const Case<T> &data = context.data;
    for (std::size_t r = 0; r < data.rows; ++r) {
        std::string problem;
        if (!context.truth[r].ordinary()) {
            if (!std::all_of(y.row(r), y.row(r) + data.n, [](T p) { return std::isnan(p); }))
                problem = "must be NaN all over";
        } else {
            problem = OnlineRow<T>(context, kernel, r).verdict(y.row(r), report);
        }
        if (!problem.empty())
            report.fail(kernel, where(data.name, data.n, r), problem);
    }
}

template <class T> void check_online(Context<T> &context, const Kernel &kernel, Report &report) {
    if (!weight_kernel<T>(kernel))
        return report.fail(kernel, "table", "has no weight kernel beside it");
    const Case<T> &data = context.data;
    // another stride and another misalignment than the input's
    Case<T> out{data.name, data.rows, data.n, data.stride + 2, {}};
    out.storage.assign(Case<T>::lead + data.rows * (data.n + 2 + Case<T>::gap), canary<T>);
    run(kernel,
        OnlineArguments<T>{data.row(0), data.stride, out.row(0), out.stride, data.rows, data.n},
        report);
    if (!canaries_alive(out.storage, out))
        report.fail(kernel, where(data.name, data.n, 0), "writes outside its rows");
    judge_probabilities(context, kernel, out, report);

    Case<T> in_place = data;
    run(kernel,
        OnlineArguments<T>{in_place.row(0), data.stride, in_place.row(0), data.stride, data.rows,
                           data.n},
        report);
    if (data.n > same_in_place)
        judge_probabilities(context, kernel, in_place, report);
    else
        compare(context, kernel, out, in_place, "in place", report);

    Case<T> alone = out;
    for (std::size_t r = 0; r < data.rows && data.rows > 1; ++r)
        run(kernel, OnlineArguments<T>{data.row(r), 1, alone.row(r), 1, 1, data.n}, report);
    compare(context, kernel, out, alone, "alone", report);
}

template <class T>
void check_normalizer(Context<T> &context, const Kernel &kernel, Report &report) {
    if (!weight_kernel<T>(kernel))
        return report.fail(kernel, "table", "has no weight kernel beside it");
    const Case<T> &data = context.data;
    std::vector<T> m(data.rows + 2, canary<T>), s = m;
    run(kernel,
        NormalizerArguments<T>{data.row(0), data.stride, data.rows, data.n, m.data() + 1,
                               s.data() + 1},
        report);
    if (m[0] != canary<T> || s[0] != canary<T> || m.back() != canary<T> || s.back() != canary<T>)
        report.fail(kernel, where(data.name, data.n, 0), "writes outside its results");
    judge_states(context, kernel, m.data() + 1, s.data() + 1, report);
    check_log_sum_exp(context, kernel, m.data() + 1, s.data() + 1, report);
}

template <class T>
void judge_states(Context<T> &context, const Kernel &kernel, const T *m, const T *s,
                  Report &report) {
    const Case<T> &data = context.data;
    for (std::size_t r = 0; r < data.rows; ++r) {
        const RowTruth<T> &truth = context.truth[r];
        const T got_m = m[r], got_s = s[r];
        const auto fail = [&](double want_m, double want_s) {
            report.fail(kernel, where(data.name, data.n, r),
                        text("m = %.9g, s = %.9g instead of ", got_m, got_s) +
                            text("(%.9g, %.9g)", want_m, want_s));
        };
        if (truth.nan) {
            if (!std::isnan(got_m) || !std::isnan(got_s))
                fail(NAN, NAN);
        } else if (truth.infinite) {
            if (got_m != truth.m || !std::isnan(got_s))
                fail(INFINITY, NAN);
        } else if (truth.empty) {
            if (got_m != truth.m || got_s != 0)
                fail(-INFINITY, 0);
        } else {
            const T *h = context.weights(*weight_kernel<T>(kernel), r);
            double sum = 0, counted = 0;
            for (std::size_t i = 0; i < data.n; ++i) {
                sum += static_cast<double>(h[i]);
                counted += std::isfinite(data.row(r)[i]);
            }
            const double s_true = static_cast<double>(truth.s);
            const double error = static_cast<double>(std::abs(got_s - truth.s));
            report.error(kernel, "relative error of s", error / s_true);
            double allowed = kernel.variant.bound * counted + agreement * s_true;
            if (is_exact(kernel))
                allowed = kernel.bound * s_true;
            else if (is_exp(kernel))
                allowed = std::min(allowed, (1.5 * kernel.variant.bound + rounding) * s_true);
            const bool agrees = is_exp(kernel) || std::abs(static_cast<double>(got_s) - sum) <=
                                                      agreement * sum + 1e-6 * kernel.variant.bound;
            if (flushed(got_m) != flushed(truth.m) || !(error <= allowed) || !agrees)
                fail(static_cast<double>(truth.m), is_exact(kernel) ? s_true : sum);
        }
    }
}

template void judge_probabilities(Context<float> &, const Kernel &, const Case<float> &, Report &);
template void judge_probabilities(Context<double> &, const Kernel &, const Case<double> &,
                                  Report &);
template void judge_states(Context<float> &, const Kernel &, const float *, const float *,
                           Report &);
template void judge_states(Context<double> &, const Kernel &, const double *, const double *,
                           Report &);

static const OperationChecks online("online", check_online<float>, check_online<double>);
static const OperationChecks normalizer("normalizer", check_normalizer<float>,
                                        check_normalizer<double>);

} // namespace check
