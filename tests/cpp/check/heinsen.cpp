// Heinsen attention of one head against eq. 1 of arXiv 2404.05843, summed in long double.
#include "check/checks.hpp"
#include "kernels/heinsen_arguments.hpp"

#include <algorithm>
#include <cmath>
#include <random>

namespace check {
namespace {

struct Shape {
    std::size_t n, d_k, d_v;
};
constexpr Shape shapes[] = {{1, 1, 1}, {7, 3, 5}, {9, 32, 32}, {40, 17, 33}, {21, 16, 70}};

/// Error of answer t, column j, relative to the same mixture of |v|.
template <class T>
double error_of(const fastsoftmax::HeinsenArguments<T> &a, std::size_t t, std::size_t j) {
    long double top = -INFINITY, wanted = 0, size = 0, total = 0;
    const auto exponent = [&](std::size_t u, std::size_t i) {
        return static_cast<long double>(a.q[t * a.d_k + i]) + a.k[u * a.d_k + i];
    };
    for (std::size_t u = 0; u <= t; ++u)
        for (std::size_t i = 0; i < a.d_k; ++i)
            top = std::max(top, exponent(u, i));
    for (std::size_t u = 0; u <= t; ++u)
        for (std::size_t i = 0; i < a.d_k; ++i) {
            const long double weight = std::exp(exponent(u, i) - top);
            const long double v = a.v[u * a.d_v + j];
            wanted += weight * v, size += weight * std::fabs(v), total += weight;
        }
    const long double error = std::fabs(a.y[t * a.d_v + j] - wanted / total) / (size / total);
    return std::isnan(error) ? INFINITY : static_cast<double>(error);
}

template <class T>
double worst_of(const KernelRow &row, const Shape &shape, double spread, Report &report) {
    std::mt19937 random(7);
    std::normal_distribution<double> normal;
    const auto draw = [&](std::size_t size, double scale) {
        std::vector<T> values(size);
        for (T &value : values)
            value = static_cast<T>(scale * normal(random));
        return values;
    };
    const auto [n, d_k, d_v] = shape;
    const auto q = draw(n * d_k, spread), k = draw(n * d_k, spread), v = draw(n * d_v, 1);
    std::vector<T> y(n * d_v), scratch(fastsoftmax::heinsen_scratch_size(d_k));
    std::vector<T> state(fastsoftmax::heinsen_state_size(d_k, d_v));
    std::fill_n(state.begin(), fastsoftmax::heinsen_padded(d_k), fastsoftmax::heinsen_lowest<T>);
    const fastsoftmax::HeinsenArguments<T> arguments{
        state.data(), scratch.data(), q.data(), k.data(), v.data(), y.data(), n, d_k, d_v};
    run(row, arguments, report);
    double worst = 0;
    for (std::size_t t = 0; t < n; ++t)
        for (std::size_t j = 0; j < d_v; ++j)
            worst = std::max(worst, error_of(arguments, t, j));
    return worst;
}

} // namespace

template <class T> void check_heinsen(const KernelRow &row, Report &report) {
    for (const Shape &shape : shapes)
        for (const double spread : {1.0, 50.0}) {
            const double worst = worst_of<T>(row, shape, spread, report);
            if (!(worst <= row.bound))
                report.fail(row, "n = " + std::to_string(shape.n),
                            "error " + std::to_string(worst / row.bound) + " times the bound");
        }
}

template void check_heinsen<float>(const KernelRow &, Report &);
template void check_heinsen<double>(const KernelRow &, Report &);

} // namespace check
