// `weight` at the places that matter: 0, the edge of the domain, below it, NaN, tails of any
// length. (weight_sweep.cpp takes every float.)
#include "check/checks.hpp"
#include "kernels/arguments.hpp"

#include <cmath>
#include <limits>

namespace check {
namespace {

constexpr double value_tolerance = 1e-6; // of the table's value_at_zero, given in decimal

template <class T> class Probe {
  public:
    Probe(const Kernel &kernel, Report &report) : row_(kernel), report_(report) {}

    T operator()(T d) {
        T h = -1;
        run(row_, fastsoftmax::WeightArguments<T>{&d, &h, 1}, report_);
        return h;
    }
    void expect(bool right, T d, const char *what) {
        if (!right)
            report_.fail(row_, "d = " + std::to_string(d),
                         std::string(what) + ", got " + std::to_string((*this)(d)));
    }

  private:
    const Kernel &row_;
    Report &report_;
};

template <class T> void check_places(const Kernel &kernel, Report &report) {
    constexpr T infinity = std::numeric_limits<T>::infinity();
    Probe<T> h(kernel, report);
    for (const T zero : {T(0), T(-0.0)})
        h.expect(std::abs(static_cast<double>(h(zero)) - kernel.variant.value_at_zero) <=
                     value_tolerance,
                 zero, "must be value_at_zero");
    const T domain = static_cast<T>(kernel.variant.domain);
    for (const T d : {std::nextafter(domain, -infinity), domain - 1, T(-1e4), T(-1e30),
                      std::numeric_limits<T>::lowest(), -infinity})
        h.expect(h(d) == static_cast<T>(kernel.variant.tail), d, "must be the tail");
    for (std::uint64_t i = 0; i < 100; ++i)
        h.expect(std::isnan(h(nan_of<T>(i * 0x9e3779b97f4a7c15))), NAN, "must stay NaN");
}

/// Every length up to a few vectors, a NaN at each place: the same bits as one by one.
template <class T> void check_tails(const Kernel &kernel, Report &report) {
    const std::size_t longest = 4 * static_cast<std::size_t>(kernel.lanes) + 3;
    Probe<T> one(kernel, report);
    for (std::size_t n = 0; n <= longest; ++n) {
        std::vector<T> d(n + 1), h(n + 2, T(-1));
        for (std::size_t i = 0; i < n; ++i)
            d[i + 1] = static_cast<T>(-0.37 * static_cast<double>(i));
        if (n > 0)
            d[1 + n / 2] = nan_of<T>(n * 0x9e3779b97f4a7c15);
        run(kernel, fastsoftmax::WeightArguments<T>{d.data() + 1, h.data() + 1, n}, report);
        if (h[0] != -1 || h[n + 1] != -1)
            report.fail(kernel, "n = " + std::to_string(n), "writes outside its results");
        for (std::size_t i = 0; i < n; ++i) {
            const bool right = i == n / 2 ? std::isnan(h[i + 1]) : h[i + 1] == one(d[i + 1]);
            if (!right)
                report.fail(kernel, "n = " + std::to_string(n),
                            "element " + std::to_string(i) + " depends on its place");
        }
    }
}

/// Against e^d at even points, by the bound of the table.
template <class T> void check_bound(const Kernel &kernel, Report &report) {
    constexpr std::size_t n = 20000;
    const double low = sizeof(T) == 4 ? -90 : -710;
    std::vector<T> d(n), h(n);
    for (std::size_t i = 0; i < n; ++i)
        d[i] = static_cast<T>(low * static_cast<double>(i) / n);
    run(kernel, fastsoftmax::WeightArguments<T>{d.data(), h.data(), n}, report);
    Largest absolute_error, relative_error;
    for (std::size_t i = 0; i < n; ++i) {
        const Wide<T> e = std::exp(static_cast<Wide<T>>(d[i]));
        const auto error = static_cast<double>(std::abs(h[i] - e));
        const double relative = error / static_cast<double>(e);
        const bool near = is_exact(kernel) && d[i] > kernel.variant.domain;
        absolute_error.add(error);
        if (near)
            relative_error.add(relative);
        if (!(error <= kernel.variant.bound) || (near && relative > kernel.bound) || !(h[i] >= 0))
            return report.fail(kernel, "d = " + std::to_string(d[i]),
                               text("relative error %.3g of %.9g", relative, e));
    }
    report.error(kernel, "absolute error", absolute_error.value());
    if (is_exact(kernel))
        report.error(kernel, "relative error", relative_error.value());
}

} // namespace

template <class T> void check_weight(const Kernel &kernel, Report &report) {
    check_places<T>(kernel, report);
    check_tails<T>(kernel, report);
    check_bound<T>(kernel, report);
}

static const OperationChecks weight("weight", check_weight<float>, check_weight<double>);

} // namespace check
