// Heinsen attention of logarithms of values, launched through cuda/api/heinsen.hpp on the CPU,
// against eq. 1 of arXiv 2404.05843, summed in long double.
//
// With "brief", as sanitizers run it, small heads in one schedule.
#include "report.hpp"

#include "cuda/api/heinsen.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <string_view>

using namespace fastsoftmax::cuda;
using hostcuda::Memory;
using hostcuda::Report;

namespace {

struct Shape {
    int heads, n, d_k, d_v;
    double keys, values; ///< spread of q and k, of log v
};

template <class T> class Heads {
    static constexpr Dtype dtype = sizeof(T) == 4 ? Dtype::float32 : Dtype::float64;
    const Shape s_;
    Memory<T> q_, k_, v_, y_, state_, after_;

  public:
    explicit Heads(const Shape &s)
        : s_(s), q_(count(s.d_k)), k_(count(s.d_k)), v_(count(s.d_v)), y_(count(s.d_v)),
          state_(static_cast<std::size_t>(s.heads * heinsen_device_size(s.d_k, s.d_v, true))),
          after_(state_.size()) {
        std::mt19937 random(11);
        std::normal_distribution<double> normal;
        for (Memory<T> *values : {&q_, &k_, &v_})
            for (std::size_t i = 0; i < values->size(); ++i)
                (*values)[i] = static_cast<T>((values == &v_ ? s.values : s.keys) * normal(random));
        for (std::size_t i = 0; s.n > 1 && i < k_.size(); i += 7)
            k_[i] = -INFINITY; // some features of some keys; values of 0
        for (std::size_t i = 3; i < v_.size(); i += 5)
            v_[i] = -INFINITY;
        for (std::size_t i = 0; i < v_.size(); i += static_cast<std::size_t>(s.d_v))
            v_[i] = -INFINITY; // and a whole column
    }

    int start(bool zeros) {
        return launch_heinsen_start(dtype, state_.data(), s_.heads, s_.d_k, s_.d_v, zeros, true,
                                    nullptr);
    }
    int launch(bool keys, bool queries, bool in_place, bool log_output, int first, int n) {
        const auto at = [&](int d) { return static_cast<std::size_t>(first * d); };
        const int error =
            launch_heinsen({dtype, state_.data(),
                            !keys      ? nullptr
                            : in_place ? state_.data()
                                       : after_.data(),
                            queries ? &q_[at(s_.d_k)] : nullptr, keys ? &k_[at(s_.d_k)] : nullptr,
                            keys ? &v_[at(s_.d_v)] : nullptr, queries ? &y_[at(s_.d_v)] : nullptr,
                            s_.heads, n, s_.d_k, s_.d_v, true, log_output, nullptr});
        if (keys && !in_place)
            std::copy_n(after_.data(), state_.size(), state_.data());
        return error;
    }
    /// The largest error of an answer, relative to `bound`; the answer to token t has seen
    /// `seen(t)` of them.
    template <class F> double worst(bool zeros, bool log_output, double bound, const F &seen) {
        double worst = 0;
        for (int h = 0; h < s_.heads; ++h)
            for (int t = 0; t < s_.n; ++t)
                for (int j = 0; j < s_.d_v; ++j)
                    worst = std::max(worst, error_of(h, t, j, seen(t), zeros, log_output, bound));
        return worst;
    }
    void forget() { std::fill_n(y_.data(), y_.size(), T(-77)); }

  private:
    std::size_t count(int d) const { return static_cast<std::size_t>(s_.heads * s_.n * d); }
    std::size_t at(int h, int t, int d) const {
        return static_cast<std::size_t>((h * s_.n + t) * d);
    }

    double error_of(int h, int t, int j, int seen, bool zeros, bool log_output, double bound) {
        std::vector<long double> keys, mixed;
        for (int u = zeros ? -1 : 0; u < seen; ++u)
            for (int i = 0; i < s_.d_k; ++i) {
                const auto feature = static_cast<std::size_t>(i);
                const long double q = q_[at(h, t, s_.d_k) + feature];
                keys.push_back(q + (u < 0 ? 0 : k_[at(h, u, s_.d_k) + feature]));
                mixed.push_back(keys.back() +
                                (u < 0 ? 0 : v_[at(h, u, s_.d_v) + static_cast<std::size_t>(j)]));
            }
        const long double want = log_of_sum(mixed) - log_of_sum(keys);
        const auto got =
            static_cast<long double>(y_[at(h, t, s_.d_v) + static_cast<std::size_t>(j)]);
        if (std::isinf(want) || std::isnan(want))
            return got == (log_output ? want : 0) ? 0 : INFINITY;
        const long double least = bound / (sizeof(T) == 4 ? 80 : 900); // of log y: one rounding
        const long double error = log_output
                                      ? std::fabs(got - want) / (bound + least * std::fabs(want))
                                      : std::fabs(got / std::exp(want) - 1) / bound;
        return std::isnan(error) ? INFINITY : static_cast<double>(error);
    }
    static long double log_of_sum(const std::vector<long double> &x) {
        const long double top = *std::max_element(x.begin(), x.end());
        long double sum = 0;
        for (const long double v : x)
            sum += std::exp(v - top);
        return top > -INFINITY ? top + std::log(sum) : -INFINITY;
    }
};

template <class T>
void check(const Shape &shape, double bound, const std::string &schedule, Report &report) {
    Heads<T> heads(shape);
    const auto judge = [&](int error, double worst, const char *what) {
        report.check(error == 0 && worst <= 1,
                     schedule + ": heinsen_log, " + (sizeof(T) == 4 ? "float32, " : "float64, ") +
                         std::to_string(shape.n) + " tokens, " + std::to_string(shape.d_k) + " x " +
                         std::to_string(shape.d_v) + ", " + what + ": error " +
                         std::to_string(worst) + " times the bound, status " +
                         std::to_string(error));
        heads.forget();
    };
    // of y, which is beyond the range of float: where the best key has v = 0, too
    const bool logs = shape.values > 10 || shape.keys > 100;
    const auto causal = [](int t) { return t + 1; };
    const auto all = [&](int) { return shape.n; };
    heads.forget();
    for (const bool in_place : {true, false}) {
        int error = heads.start(!in_place);
        error |= heads.launch(true, true, in_place, logs, 0, shape.n);
        judge(error, heads.worst(!in_place, logs, bound, causal),
              in_place ? "causal" : "causal, zeros");
        error = heads.start(false);
        error |= heads.launch(true, false, in_place, false, 0, shape.n);
        error |= heads.launch(false, true, in_place, true, 0, shape.n);
        judge(error, heads.worst(false, true, bound, all), "non-causal, logarithms");
    }
    if (shape.heads > 1)
        return;
    int error = heads.start(false);
    for (int t = 0; t < shape.n; ++t)
        error |= heads.launch(true, true, t % 2 == 0, true, t, 1);
    judge(error, heads.worst(false, true, bound, causal), "step by step");
}

} // namespace

int main(int count, char **arguments) {
    const bool brief = count > 1 && std::string_view(arguments[1]) == "brief";
    Report report;
    const Shape shapes[] = {{1, 1, 1, 2, 1, 1},   {2, 7, 3, 5, 1, 1},      {1, 9, 33, 32, 1, 1000},
                            {1, 12, 9, 40, 8, 3}, {2, 6, 16, 70, 50, 300}, {1, 5, 40, 16, 1e4, 1}};
    const Kernels kernels = heinsen_kernels();
    const auto in_schedule = [&](const char *schedule) {
        for (const Shape &shape : shapes) {
            if (brief && (shape.n > 9 || shape.keys > 1))
                continue;
            check<float>(shape, kernels[2].bound, schedule, report);
            check<double>(shape, kernels[3].bound, schedule, report);
        }
    };
    hostcuda::each_schedule(in_schedule, brief);
    return report.finish();
}
