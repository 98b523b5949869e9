// Heinsen attention of one head against eq. 1 of arXiv 2404.05843, summed in long double.
#include "fastsoftmax/heinsen.hpp"
#include "check/checks.hpp"
#include "kernels/heinsen/arguments.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>

namespace check {
namespace {

struct Shape {
    std::size_t n, d_k, d_v;
};
/// The last is the size that the bounds are derived for.
constexpr Shape shapes[] = {{1, 1, 1},    {7, 3, 5},    {9, 32, 32},
                            {40, 17, 33}, {21, 16, 70}, {1000, 128, 3}};

/// Weight of each token up to t in answer t: of all its features.
template <class T>
std::vector<long double> weights_of(const fastsoftmax::HeinsenArguments<T> &a, std::size_t t) {
    const auto exponent = [&](std::size_t u, std::size_t i) {
        return static_cast<long double>(a.q[t * a.d_k + i]) + a.k[u * a.d_k + i];
    };
    long double top = -INFINITY;
    for (std::size_t u = 0; u <= t; ++u)
        for (std::size_t i = 0; i < a.d_k; ++i)
            top = std::max(top, exponent(u, i));
    std::vector<long double> weights(t + 1);
    for (std::size_t u = 0; u <= t; ++u)
        for (std::size_t i = 0; i < a.d_k; ++i)
            weights[u] += std::exp(exponent(u, i) - top);
    return weights;
}

/// Error of column j of the answer with these weights, relative to the same mixture of |v|. Where
/// values are logarithms, y is, too, and may be off by its own rounding.
template <class T>
double error_of(const fastsoftmax::HeinsenArguments<T> &a, bool logs,
                const std::vector<long double> &weights, std::size_t j) {
    const std::size_t t = weights.size() - 1;
    long double highest = -INFINITY, wanted = 0, size = 0, total = 0;
    for (std::size_t u = 0; u <= t; ++u)
        highest = std::max(highest, static_cast<long double>(a.v[u * a.d_v + j]));
    for (std::size_t u = 0; u <= t; ++u) {
        const long double v = logs ? std::exp(a.v[u * a.d_v + j] - highest) // long: no underflow
                                   : a.v[u * a.d_v + j];
        wanted += weights[u] * v, size += weights[u] * std::fabs(v), total += weights[u];
    }
    const long double y = a.y[t * a.d_v + j];
    long double error = std::fabs(y - wanted / total) / (size / total);
    if (logs) {
        const long double exact = highest + std::log(wanted / total);
        error = std::fabs(y - exact) - std::fabs(exact) * std::numeric_limits<T>::epsilon() / 2;
    }
    return std::isnan(error) ? INFINITY : static_cast<double>(error);
}

template <class T>
double worst_of(const Kernel &kernel, const Shape &shape, double spread, Report &report) {
    const bool logs = std::string(kernel.op) == fastsoftmax::HeinsenLogArguments<T>::op;
    std::mt19937 random(7);
    std::normal_distribution<double> normal;
    const auto draw = [&](std::size_t size, double scale) {
        std::vector<T> values(size);
        for (T &value : values)
            value = static_cast<T>(scale * normal(random));
        return values;
    };
    const auto [n, d_k, d_v] = shape;
    const auto q = draw(n * d_k, spread), k = draw(n * d_k, spread);
    const auto v = draw(n * d_v, logs ? 10 * spread : 1);
    std::vector<T> y(n * d_v), scratch(fastsoftmax::heinsen_scratch_size(d_k));
    std::vector<T> state(fastsoftmax::heinsen_size(d_k, d_v, logs));
    fastsoftmax::heinsen_start(state.data(), d_k, d_v, false, logs);
    const fastsoftmax::HeinsenArguments<T> arguments{state.data(),
                                                     state.data() +
                                                         fastsoftmax::heinsen_weights_size(d_k),
                                                     scratch.data(),
                                                     q.data(),
                                                     k.data(),
                                                     v.data(),
                                                     y.data(),
                                                     n,
                                                     d_k,
                                                     d_v,
                                                     0,
                                                     d_v};
    if (logs)
        run(kernel, fastsoftmax::HeinsenLogArguments<T>{arguments, true}, report);
    else
        run(kernel, arguments, report);
    Largest worst;
    const std::size_t step = n < 100 ? 1 : 333; // the exact sums take long
    for (std::size_t t = (n - 1) % step; t < n; t += step) {
        const std::vector<long double> weights = weights_of(arguments, t);
        for (std::size_t j = 0; j < d_v; ++j)
            worst.add(error_of(arguments, logs, weights, j));
    }
    report.error(kernel, "error relative to weighted |v|", worst.value());
    return worst.value();
}

} // namespace

template <class T> void check_heinsen(const Kernel &kernel, Report &report) {
    for (const Shape &shape : shapes)
        for (const double spread : {1.0, 50.0}) {
            const double worst = worst_of<T>(kernel, shape, spread, report);
            if (!(worst <= kernel.bound))
                report.fail(kernel, "n = " + std::to_string(shape.n),
                            "error " + std::to_string(worst / kernel.bound) + " times the bound");
        }
}

static const OperationChecks heinsen("heinsen", check_heinsen<float>, check_heinsen<double>);
static const OperationChecks heinsen_log("heinsen_log", check_heinsen<float>,
                                         check_heinsen<double>);

} // namespace check
