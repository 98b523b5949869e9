// `topk`: the places that sorting finds, and the probabilities of the truth.
#include "check/checks.hpp"
#include "kernels/arguments.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

namespace check {
namespace {

using fastsoftmax::TopkArguments;

template <class T> constexpr double absolute_bound = sizeof(T) == 4 ? 3e-7 : 4e-15;
/// Down to here the relative bound holds (float64: as far as results are normal).
template <class T> constexpr double relative_floor = sizeof(T) == 4 ? -20 : -690;
template <class T> constexpr T canary = T(-12345.678);
constexpr std::int64_t no_place = -99;

/// Places of the largest `most` of a row, by sorting: equal ones in order, NaN last.
template <class T> std::vector<std::int64_t> places(const T *x, std::size_t n, std::size_t most) {
    std::vector<std::int64_t> order(n);
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(most), order.end(),
                      [x](std::int64_t i, std::int64_t j) {
                          const T a = flushed(x[i]), b = flushed(x[j]);
                          if (std::isnan(a) || std::isnan(b))
                              return std::isnan(a) == std::isnan(b) ? i < j : std::isnan(b);
                          return a != b ? a > b : i < j;
                      });
    return order;
}

template <class T>
std::string verdict(const RowTruth<T> &truth, const Kernel &kernel, std::size_t at, T p,
                    Report &report) {
    if (!truth.ordinary())
        return std::isnan(p) ? "" : text("p = %.9g must be NaN", p);
    const Wide<T> wanted = truth.e[at] / truth.s;
    const double error = static_cast<double>(std::abs(p - wanted));
    const bool near = std::log(static_cast<double>(truth.e[at])) > relative_floor<T>;
    const double relative = error / static_cast<double>(wanted);
    if (near)
        report.error(kernel, "relative error", relative);
    return error <= absolute_bound<T> && (!near || relative <= kernel.bound)
               ? ""
               : text("p = %.9g instead of %.9g", p, static_cast<double>(wanted));
}

template <class T>
void check_count(Context<T> &context, const Kernel &kernel,
                 const std::vector<std::vector<std::int64_t>> &wanted, std::size_t k,
                 Report &report) {
    const Case<T> &data = context.data;
    std::vector<T> p(data.rows * k + 2, canary<T>);
    std::vector<std::int64_t> index(data.rows * k + 2, no_place);
    run(kernel,
        TopkArguments<T>{data.row(0), data.stride, data.rows, data.n, p.data() + 1,
                         index.data() + 1, k},
        report);
    const std::string where =
        data.name + ", n = " + std::to_string(data.n) + ", k = " + std::to_string(k) + ", row ";
    if (p[0] != canary<T> || p.back() != canary<T> || index[0] != no_place ||
        index.back() != no_place)
        report.fail(kernel, where + "any", "writes outside its results");
    for (std::size_t r = 0; r < data.rows; ++r)
        for (std::size_t i = 0; i < k; ++i) {
            const std::int64_t place = index[1 + r * k + i];
            std::string problem;
            if (place != wanted[r][i])
                problem = "place " + std::to_string(place) + " instead of " +
                          std::to_string(wanted[r][i]);
            else
                problem = verdict(context.truth[r], kernel, static_cast<std::size_t>(place),
                                  p[1 + r * k + i], report);
            if (!problem.empty())
                report.fail(kernel, where + std::to_string(r) + ", " + std::to_string(i), problem);
        }
}

} // namespace

template <class T> void check_topk(Context<T> &context, const Kernel &kernel, Report &report) {
    const Case<T> &data = context.data;
    if (data.n == 0)
        return; // there is no k for it
    const std::size_t most = std::min<std::size_t>(data.n, 64);
    std::vector<std::vector<std::int64_t>> wanted(data.rows);
    for (std::size_t r = 0; r < data.rows; ++r)
        wanted[r] = places(data.row(r), data.n, most);
    for (const std::size_t k : {std::size_t{1}, std::size_t{5}, std::size_t{33}, most})
        if (k <= most)
            check_count(context, kernel, wanted, k, report);
}

static const OperationChecks topk("topk", check_topk<float>, check_topk<double>);

} // namespace check
