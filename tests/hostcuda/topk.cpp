// `topk`, launched through cuda/api/topk.hpp on the CPU: the places that sorting finds, and the
// probabilities of the truth in long double.
//
// With "brief", as sanitizers run it, fewer rows in one schedule.
#include "report.hpp"

#include "cuda/api/topk.hpp"
#include "cuda/rows/mask.cuh"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <string_view>

using namespace fastsoftmax;
using namespace fastsoftmax::cuda;
using hostcuda::Memory;
using hostcuda::Report;

namespace {

constexpr int kinds = 9;
constexpr float masked = -32752; ///< half of float16's lowest, as if the mask came from there
enum class Kind { random, equal, ascending, far, near_far, nan, infinity, lowest, half_lowest };

template <class S> constexpr Dtype dtype_of = Dtype::float32;
template <> constexpr Dtype dtype_of<double> = Dtype::float64;
template <> constexpr Dtype dtype_of<float16> = Dtype::float16;
template <> constexpr Dtype dtype_of<bfloat16> = Dtype::bfloat16;

/// Half the distance of denormal numbers of S, which probabilities may be.
template <class S> constexpr double denormal = 0;
template <> constexpr double denormal<float16> = 0x1p-25;

/// Which elements masks leave, by number; of every fifth row none.
bool unmasked(int r, int i) { return r % 5 != 4 && i % 3 != 1; }

/// What rounding to S adds to the error of a probability.
template <class S> constexpr double rounding = 0;
template <> constexpr double rounding<float16> = 0x1p-11;
template <> constexpr double rounding<bfloat16> = 0x1p-8;

template <class S> class Rows {
    using T = Computed<S>;
    const int outer_, inner_, n_;
    const std::int64_t step_; ///< between elements of a row
    Memory<S> x_;
    Mask kind_ = Mask::none; ///< of a mask of the rows side by side
    double scale_ = 1;
    Memory<std::uint8_t> keep_;
    Memory<T> added_;

  public:
    Rows(int outer, int inner, int n, bool columns, std::size_t shift)
        : outer_(outer), inner_(inner), n_(n), step_(columns ? inner : 1),
          x_(static_cast<std::size_t>(outer * inner * n), shift), keep_(x_.size()),
          added_(x_.size()) {
        std::mt19937 engine(3);
        std::normal_distribution<double> normal;
        for (int r = 0; r < outer * inner; ++r)
            for (int i = 0; i < n; ++i)
                narrow_one(static_cast<T>(value(static_cast<Kind>(r % kinds), i, normal(engine))),
                           at(r, i));
    }
    /// From here on, scaled and masked.
    void mask(Mask kind, double scale) {
        kind_ = kind, scale_ = scale;
        for (std::size_t i = 0; i < keep_.size(); ++i) {
            const int r = static_cast<int>(i) / n_, number = static_cast<int>(i) % n_;
            keep_[i] = unmasked(r, number) ? 2 : 0;
            added_[i] = unmasked(r, number) ? static_cast<T>(number % 4) : masked;
        }
    }
    std::string name(int k) const {
        return std::to_string(outer_) + " x " + std::to_string(inner_) + " rows of " +
               std::to_string(n_) + (step_ > 1 ? ", columns" : "") + ", k = " + std::to_string(k);
    }

    void check(int k, double bound, const std::string &what, Report &report) {
        const auto results = static_cast<std::size_t>(outer_ * inner_ * k);
        Memory<S> p(results);
        Memory<std::int64_t> index(results);
        TopkArguments a{};
        a.dtype = dtype_of<S>;
        a.dims = 2;
        a.extent[0] = outer_, a.extent[1] = inner_;
        a.n = n_;
        a.x = x_.data();
        a.x_at = {{std::int64_t{inner_} * n_, step_ > 1 ? 1 : n_}, step_};
        a.scale = scale_;
        a.mask_kind = kind_;
        a.mask = kind_ == Mask::keep ? static_cast<const void *>(keep_.data()) : added_.data();
        a.mask_at = {{std::int64_t{inner_} * n_, n_}, 1};
        a.masked_at_most = masked;
        a.k = k, a.p = p.data(), a.index = index.data();
        report.check(launch_topk(a) == 0, what + ", " + name(k) + ": doesn't launch");
        for (int r = 0; r < outer_ * inner_; ++r) {
            const auto first = static_cast<std::size_t>(r * k);
            const std::string wrong = verdict(r, k, &p[first], &index[first], bound);
            report.check(wrong.empty(),
                         what + ", " + name(k) + ", row " + std::to_string(r) + ": " + wrong);
        }
    }

  private:
    S &at(int r, int i) {
        return x_[static_cast<std::size_t>(
            (r / inner_) * inner_ * n_ +
            (step_ > 1 ? r % inner_ + i * inner_ : r % inner_ * n_ + i))];
    }
    /// What is ranked: computed as the kernel does, so that equal ones are.
    T z(int r, int i) {
        const T x = widened_one(at(r, i)), scale = static_cast<T>(scale_);
        if (kind_ != Mask::none && !unmasked(r, i))
            return -infinity<T>();
        return kind_ == Mask::add ? std::fma(x, scale, static_cast<T>(i % 4)) : x * scale;
    }
    double value(Kind kind, int i, double draw) const {
        switch (kind) {
        case Kind::equal:
            return 1.5;
        case Kind::ascending:
            return 0.01 * i;
        case Kind::far:
            return 20000 + draw;
        case Kind::near_far:
            return 100 - 7 * (i % 40);
        case Kind::nan:
            return i % 7 == 2 ? NAN : draw;
        case Kind::infinity:
            return i == n_ / 2 ? INFINITY : draw;
        case Kind::lowest:
            return -INFINITY;
        case Kind::half_lowest:
            return i < 2 * n_ / 3 ? -INFINITY : 4 * draw;
        default:
            return 4 * draw;
        }
    }
    std::string verdict(int r, int k, const S *p, const std::int64_t *index, double bound) {
        std::vector<T> x(static_cast<std::size_t>(n_));
        for (int i = 0; i < n_; ++i)
            x[static_cast<std::size_t>(i)] = z(r, i);
        std::vector<std::int64_t> order(x.size());
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(), [&](std::int64_t i, std::int64_t j) {
            const T a = x[static_cast<std::size_t>(i)], b = x[static_cast<std::size_t>(j)];
            return a > b || (b != b && a == a);
        });
        const long double m = x[static_cast<std::size_t>(order[0])];
        long double sum = 0;
        for (const T v : x)
            sum += std::exp(v - m);
        for (int i = 0; i < k; ++i) {
            if (index[i] != order[static_cast<std::size_t>(i)])
                return "place " + std::to_string(i) + " is " + std::to_string(index[i]);
            const long double d = x[static_cast<std::size_t>(index[i])] - m;
            const bool empty = kind_ != Mask::none && r % 5 == 4;
            const double want = empty ? 0 : static_cast<double>(std::exp(d) / sum);
            const auto got = static_cast<double>(widened_one(p[i]));
            if (std::isnan(want) != std::isnan(got))
                return "probability " + std::to_string(got);
            const double error = std::fabs(got - want);
            const double most = (bound + rounding<S>)*want;
            if ((d > -20 || empty) && error > most + denormal<S>)
                return "probability off by " + std::to_string(error / want / bound) + " bounds";
        }
        return "";
    }
};

template <class S>
void check_dtype(const std::string &schedule, double bound, bool brief, Report &report) {
    const char *const names[] = {"float32", "float64", "float16", "bfloat16"};
    const std::string what = schedule + ": " + names[static_cast<int>(dtype_of<S>)];
    const bool fewer = brief || sizeof(S) == 2;
    for (const int n : {1, 5, 33, 64, 100, 300})
        for (const int k : {1, 5, 32, 33, 64})
            if (k <= n && (!fewer || (n == 5 && k == 5) || (n == 100 && k == 33)))
                Rows<S>(1, kinds, n, k % 2 == 0, n % 3).check(k, bound, what, report);
    if (schedule == "random")
        for (const Mask kind : {Mask::none, Mask::keep, Mask::add})
            for (const int n : {5, 100}) {
                Rows<S> rows(3, 5, n, n == 5, 1);
                rows.mask(kind, -0.75);
                rows.check(4, bound, what + (kind == Mask::none ? ", scaled" : ", masked"), report);
            }
    if (schedule == "random" && !fewer) {
        Rows<S> rows(1, kinds, 2500, false, 1);
        rows.mask(Mask::keep, 0.5);
        rows.check(33, bound, what + ", masked", report);
    }
    if (schedule == "random")
        Rows<S>(3, fewer ? 1 : 3, 2049, true, 1).check(fewer ? 5 : 50, bound, what, report);
    if (schedule == "random" && !fewer)
        Rows<S>(1, kinds, 3001, false, 1).check(7, bound, what, report);
}

} // namespace

int main(int count, char **arguments) {
    const bool brief = count > 1 && std::string_view(arguments[1]) == "brief";
    Report report;
    const double single = topk_kernels()[0].bound, twice = topk_kernels()[1].bound;
    const auto in_schedule = [&](const std::string &schedule) {
        check_dtype<float>(schedule, single, brief, report);
        check_dtype<double>(schedule, twice, brief, report);
        check_dtype<float16>(schedule, single, brief, report);
        check_dtype<bfloat16>(schedule, single, brief, report);
    };
    hostcuda::each_schedule(in_schedule, brief);
    return report.finish();
}
