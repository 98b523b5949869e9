// `log_softmax`: the distance from the maximum less the logarithm of the sum.
#include "check/checks.hpp"
#include "kernels/arguments.hpp"

#include <cmath>

namespace check {
namespace {

/// Logarithm of a sum of the same weights in another order.
constexpr double agreement = 2e-5;

/// Roundings of x - m and of the result.
template <class T> double rounding(double d, double log_s) {
    return (sizeof(T) == 4 ? 0x1p-24 : 0x1p-53) * 1.01 * (2 * std::abs(d) + std::abs(log_s));
}

template <class T>
std::string verdict(Context<T> &context, const Kernel &kernel, std::size_t r, const T *y,
                    Report &report) {
    const Case<T> &data = context.data;
    const RowTruth<T> &truth = context.truth[r];
    double sum = static_cast<double>(truth.s), bound = kernel.bound;
    if (!is_exact(kernel)) {
        const T *h = context.weights(*weight_kernel<T>(kernel), r);
        sum = 0;
        for (std::size_t i = 0; i < data.n; ++i)
            sum += static_cast<double>(h[i]);
        bound = agreement +
                (kernel.variant.form == std::string_view("exp") ? 2 * kernel.variant.bound : 0);
    }
    Largest largest;
    for (std::size_t i = 0; i < data.n; ++i) {
        const T x = flushed(data.row(r)[i]);
        const Wide<T> d = static_cast<Wide<T>>(x) - flushed(truth.m);
        if (std::isinf(static_cast<T>(d))) { // -inf, or too far down for T
            if (y[i] != -INFINITY)
                return text("%.9g instead of -inf", y[i]);
            continue;
        }
        const double error = static_cast<double>(std::abs(y[i] - (d - std::log(Wide<T>(sum)))));
        const double over = error - rounding<T>(static_cast<double>(d), std::log(sum));
        largest.add(std::max(over, 0.0));
        if (!(over <= bound))
            return text("%.9g, off by %.3g", y[i], error);
    }
    if (is_exact(kernel))
        report.error(kernel, "absolute error beside roundings", largest.value());
    return "";
}

} // namespace

template <class T>
void judge_log_probabilities(Context<T> &context, const Kernel &kernel, const Case<T> &y,
                             Report &report) {
    const Case<T> &data = context.data;
    for (std::size_t r = 0; r < data.rows; ++r) {
        std::string problem;
        if (context.truth[r].ordinary())
            problem = verdict(context, kernel, r, y.row(r), report);
        else
            for (std::size_t i = 0; i < data.n; ++i)
                if (!std::isnan(y.row(r)[i]))
                    problem = "must be NaN all over";
        if (!problem.empty())
            report.fail(kernel, data.name + ", n = " + std::to_string(data.n), problem);
    }
}

template <class T>
void check_log_softmax(Context<T> &context, const Kernel &kernel, Report &report) {
    if (!weight_kernel<T>(kernel))
        return report.fail(kernel, "table", "has no weight kernel beside it");
    const Case<T> &data = context.data;
    Case<T> out = data;
    run(kernel,
        fastsoftmax::LogSoftmaxArguments<T>{data.row(0), data.stride, out.row(0), out.stride,
                                            data.rows, data.n},
        report);
    judge_log_probabilities(context, kernel, out, report);
}

template void judge_log_probabilities(Context<float> &, const Kernel &, const Case<float> &,
                                      Report &);
template void judge_log_probabilities(Context<double> &, const Kernel &, const Case<double> &,
                                      Report &);

static const OperationChecks log_softmax("log_softmax", check_log_softmax<float>,
                                         check_log_softmax<double>);

} // namespace check
