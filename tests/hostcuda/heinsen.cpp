// Heinsen attention, launched through cuda/api/heinsen.hpp on the CPU, against eq. 1 of arXiv
// 2404.05843, summed in long double.
//
// With "brief", as sanitizers run it, small heads in one schedule.
#include "report.hpp"

#include "cuda/api/heinsen.hpp"
#include "kernels/heinsen/arguments.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <string_view>

using namespace fastsoftmax;
using namespace fastsoftmax::cuda;
using hostcuda::Memory;
using hostcuda::Report;

namespace {

struct Shape {
    int heads, n, d_k, d_v;
    double spread, offset; ///< of k and q; added to q
    std::string name() const {
        return std::to_string(heads) + " heads, " + std::to_string(n) + " tokens, " +
               std::to_string(d_k) + " x " + std::to_string(d_v);
    }
};

template <class T> class Heads {
    static constexpr Dtype dtype = sizeof(T) == 4 ? Dtype::float32 : Dtype::float64;
    const Shape s_;
    const std::size_t state_size_;
    Memory<T> q_, k_, v_, y_, state_, after_;

  public:
    explicit Heads(const Shape &s)
        : s_(s), state_size_(static_cast<std::size_t>(heinsen_device_size(s.d_k, s.d_v, false))),
          q_(count(s.d_k)), k_(count(s.d_k)), v_(count(s.d_v)), y_(count(s.d_v)),
          state_(state_size_ * static_cast<std::size_t>(s.heads)), after_(state_.size()) {
        std::mt19937 random(7);
        std::normal_distribution<double> normal;
        for (Memory<T> *values : {&q_, &k_, &v_})
            for (std::size_t i = 0; i < values->size(); ++i)
                (*values)[i] = static_cast<T>((values == &v_ ? 1 : s.spread) * normal(random));
        for (std::size_t i = 0; i < q_.size(); ++i)
            q_[i] += static_cast<T>(s.offset);
        for (int u = 0; u < s.n; ++u) // a feature that never comes, and one that does late
            k_[static_cast<std::size_t>(u * s.d_k)] = -INFINITY;
        if (s.d_k > 1 && s.n > 2)
            k_[1] = k_[static_cast<std::size_t>(s.d_k) + 1] = -INFINITY;
    }

    int start(bool zeros) {
        return launch_heinsen_start(dtype, state_.data(), s_.heads, s_.d_k, s_.d_v, zeros, false,
                                    nullptr) |
               launch_heinsen_start(dtype, after_.data(), s_.heads, s_.d_k, s_.d_v, false, false,
                                    nullptr);
    }
    /// Tokens first .. first + n of each head: only one head where that isn't all.
    int launch(bool keys, bool queries, bool in_place, int first, int n) {
        const T *from = state_.data();
        T *to = in_place ? state_.data() : after_.data();
        const int error = launch_heinsen(
            {dtype, from, keys ? to : nullptr, queries ? &q_[at(first, s_.d_k)] : nullptr,
             keys ? &k_[at(first, s_.d_k)] : nullptr, keys ? &v_[at(first, s_.d_v)] : nullptr,
             queries ? &y_[at(first, s_.d_v)] : nullptr, s_.heads, n, s_.d_k, s_.d_v, false, false,
             nullptr});
        if (keys && !in_place)
            std::copy_n(after_.data(), state_.size(), state_.data());
        return error;
    }
    /// The largest error of an answer relative to the same mixture of |v|; the answer to token t
    /// has seen `seen(t)` of them.
    template <class F> double worst(bool zeros, const F &seen) {
        double worst = 0;
        for (int h = 0; h < s_.heads; ++h)
            for (int t = 0; t < s_.n; ++t)
                worst = std::max(worst, error_of(h, t, seen(t), zeros));
        return worst;
    }
    void forget() { std::fill_n(y_.data(), y_.size(), T(-77)); }

  private:
    std::size_t count(int d) const { return static_cast<std::size_t>(s_.heads * s_.n * d); }
    static std::size_t at(int row, int d) { return static_cast<std::size_t>(row * d); }

    double error_of(int h, int t, int seen, bool zeros) {
        const auto d_v = static_cast<std::size_t>(s_.d_v);
        std::vector<long double> wanted(d_v), size(d_v);
        long double top = -INFINITY, total = 0;
        const auto exponent = [&](int u, int i) { // u -1: the token of zeros
            return static_cast<long double>(
                       q_[at(h * s_.n + t, s_.d_k) + static_cast<std::size_t>(i)]) +
                   (u < 0 ? 0 : k_[at(h * s_.n + u, s_.d_k) + static_cast<std::size_t>(i)]);
        };
        for (int u = zeros ? -1 : 0; u < seen; ++u)
            for (int i = 0; i < s_.d_k; ++i)
                top = std::max(top, exponent(u, i));
        for (int u = zeros ? -1 : 0; u < seen; ++u) {
            long double weight = 0;
            for (int i = 0; i < s_.d_k; ++i)
                weight += top > -INFINITY ? std::exp(exponent(u, i) - top) : 0;
            total += weight;
            for (std::size_t j = 0; j < d_v; ++j) {
                const long double v = u < 0 ? 1 : v_[at(h * s_.n + u, s_.d_v) + j];
                wanted[j] += weight * v;
                size[j] += weight * std::fabs(v);
            }
        }
        double worst = 0;
        for (std::size_t j = 0; j < d_v; ++j) {
            const T got = y_[at(h * s_.n + t, s_.d_v) + j];
            const auto error = static_cast<double>(total == 0 ? (got != got ? 0 : INFINITY)
                                                              : std::fabs(got - wanted[j] / total) /
                                                                    (size[j] / total));
            worst = std::isnan(error) ? INFINITY : std::max(worst, error);
        }
        return worst;
    }
};

template <class T>
void check(const Shape &shape, double bound, const std::string &schedule, Report &report) {
    const auto judge = [&](int error, double worst, const char *what) {
        report.check(error == 0 && worst <= bound,
                     schedule + ": heinsen, " + (sizeof(T) == 4 ? "float32, " : "float64, ") +
                         shape.name() + ", " + what + ": error " + std::to_string(worst / bound) +
                         " times the bound, status " + std::to_string(error));
    };
    Heads<T> heads(shape);
    const auto causal = [](int t) { return t + 1; };
    const auto all = [&](int) { return shape.n; };
    for (const bool in_place : {true, false}) {
        heads.forget();
        int error = heads.start(!in_place);
        error |= heads.launch(true, true, in_place, 0, shape.n);
        judge(error, heads.worst(!in_place, causal), in_place ? "causal" : "causal, zeros");
        heads.forget();
        error = heads.start(false);
        error |= heads.launch(true, false, in_place, 0, shape.n);
        error |= heads.launch(false, true, in_place, 0, shape.n);
        judge(error, heads.worst(false, all), "non-causal");
    }
    if (shape.heads > 1)
        return;
    heads.forget();
    int error = heads.start(false);
    for (int t = 0; t < shape.n; ++t) // update and attend by turns, and steps
        if (t % 3)
            error |= heads.launch(true, true, t % 2 == 0, t, 1);
        else
            error |= heads.launch(true, false, true, t, 1) | heads.launch(false, true, true, t, 1);
    judge(error, heads.worst(false, causal), "step by step");
}

} // namespace

int main(int count, char **arguments) {
    const bool brief = count > 1 && std::string_view(arguments[1]) == "brief";
    Report report;
    const Shape shapes[] = {{1, 1, 1, 1, 1, 0},    {2, 7, 3, 5, 1, 0},     {1, 9, 33, 32, 1, 1e4},
                            {1, 19, 17, 40, 8, 0}, {2, 40, 16, 70, 50, 0}, {1, 21, 40, 16, 1, 0}};
    const Kernels kernels = heinsen_kernels();
    const auto in_schedule = [&](const char *schedule) {
        for (const Shape &shape : shapes) {
            if (brief && (shape.n > 20 || shape.spread > 1))
                continue;
            check<float>(shape, kernels[0].bound, schedule, report);
            check<double>(shape, kernels[1].bound, schedule, report);
        }
    };
    hostcuda::each_schedule(in_schedule, brief);
    return report.finish();
}
