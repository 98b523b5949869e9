// `scan` of many sequences, against the recurrence of cpp/common/max_sum.hpp one after another: bit
// for bit, but for two_expf; `exact` against float64 as well.
#include "report.hpp"

#include "cuda/scan/scan.cuh"
#include "surrogates.hpp"

#include <cmath>
#include <random>

using namespace fastsoftmax;
using namespace fastsoftmax::cuda;
using hostcuda::Memory;
using hostcuda::Report;

namespace {

using State = MaxSum<float>;
using V = Lane<float>;

template <class Variant> struct Recurrence {
    static State of(const float *x, std::int64_t n, std::int64_t step) {
        const auto size = static_cast<std::size_t>(n);
        State state{-infinity<float>(), 0};
        const OnlineUpdate<Variant, V> update;
        for (std::int64_t i = 0; i < n; ++i)
            if (state.m != -infinity<float>() || x[i * step] != -infinity<float>())
                state = update(state, x[i * step]);
        if (state.m == infinity<float>())
            return state_at_infinity(x, size, state.m, step);
        return state.s != state.s ? State{state.s, state.s} : state;
    }
};
template <class Surrogate> struct Recurrence<Raw<Surrogate>> {
    static State of(const float *x, std::int64_t n, std::int64_t step) {
        State state = n > 0 ? State{x[0], 1} : State{-infinity<float>(), 0};
        for (std::int64_t i = 1; i < n; ++i) {
            const V logit{x[i * step]};
            state.s = Surrogate::template g<V>(V{state.m}, V{state.s}, logit).v;
            state.m = V::max(logit, V{state.m}).v;
        }
        return state;
    }
};
template <> struct Recurrence<TwoExpf> : Recurrence<variant::exact> {};

double tolerance(const char *name, std::int64_t n) {
    return std::string(name) == "two_expf" ? 5e-7 * static_cast<double>(n + 1) : 0;
}

struct Case {
    std::int64_t n, sequences;
    std::int64_t gap;
    Memory<float> x, m, s;

    Case(std::int64_t n, std::int64_t sequences, std::int64_t gap)
        : n(n), sequences(sequences), gap(gap), x(static_cast<std::size_t>(n * (sequences + gap))),
          m(static_cast<std::size_t>(sequences)), s(static_cast<std::size_t>(sequences)) {
        std::mt19937 engine(5);
        std::normal_distribution<float> normal;
        for (std::size_t i = 0; i < x.size(); ++i)
            x[i] = 3 * normal(engine);
        const float inf = infinity<float>();
        for (const std::size_t at : {0, 3, 5}) // sequences with edges
            for (std::size_t i = 0; i < x.size(); i += static_cast<std::size_t>(sequences + gap))
                if (i + at < x.size() && static_cast<std::int64_t>(at) < sequences)
                    x[i + at] = at == 3 && i ? inf : at == 5 && i ? not_a_number<float>() : -inf;
        for (std::size_t c = 8; static_cast<std::int64_t>(c) < sequences && n > 1; c += 7)
            x[c] = x[c + static_cast<std::size_t>(sequences + gap)] = -inf;
    }
    int launch(const char *variant, int threads, bool ahead) {
        return launch_scan({scan_variant(variant), x.data(), sequences + gap, n, sequences,
                            m.data(), s.data(), threads, ahead, nullptr});
    }
};

bool same(float a, float b, double tolerance) {
    if (a != a || b != b)
        return a != a && b != b;
    return a == b || std::fabs(a - b) <= tolerance * std::fabs(b);
}

template <class Variant>
void check(Case &c, int threads, bool ahead, const std::string &schedule, Report &report) {
    const char *name = Variant::info().name;
    const std::string what = schedule + ": scan/" + name + ", " + std::to_string(c.sequences) +
                             " sequences of " + std::to_string(c.n) + (ahead ? ", ahead" : "");
    report.check(c.launch(name, threads, ahead) == 0, what + " doesn't launch");
    int wrong = 0;
    for (std::int64_t i = 0; i < c.sequences; ++i) {
        const State want = Recurrence<Variant>::of(c.x.data() + i, c.n, c.sequences + c.gap);
        const auto at = static_cast<std::size_t>(i);
        wrong += !same(c.m[at], want.m, 0) || !same(c.s[at], want.s, tolerance(name, c.n));
    }
    report.check(wrong == 0, what + ": " + std::to_string(wrong) + " states differ");
}

void check_all(const std::string &schedule, Report &report) {
    unsigned kinds = 0;
    constexpr int shapes[][3] = {{1, 1, 0}, {2, 33, 0}, {7, 31, 2}, {16, 70, 1}, {100, 9, 0}};
    for (const auto &[n, sequences, gap] : shapes) {
        Case c(n, sequences, gap);
        for (const bool ahead : {false, true}) {
            kinds = 0;
#define FS_SCAN(type) check<type>(c, 32 << kinds % 4, ahead, schedule, report), ++kinds;
#include "cuda/scan/variants.def"
        }
    }
    report.check(kinds == scan_kernels().size(), "not every variant was run");
}

/// s against a sum in float64, relative, for a long row.
void check_exact(Report &report) {
    Case c(3000, 40, 0);
    for (const char *name : {"exact", "two_expf"}) {
        c.launch(name, 64, true);
        for (std::size_t i = 9; i < 15; ++i) {
            double sum = 0;
            for (std::size_t j = i; j < c.x.size(); j += 40)
                sum += std::exp(static_cast<double>(c.x[j]) - c.m[i]);
            report.check(std::fabs(c.s[i] / sum - 1) < 3000 * 6e-8, std::string(name) + ": s");
        }
    }
}

} // namespace

int main() {
    Report report;
    hostcuda::each_schedule([&](const char *schedule) { check_all(schedule, report); });
    check_exact(report);
    report.check(scan_variant("none") == -1, "an unknown variant has a number");
    report.check(launch_scan({-1, nullptr, 1, 1, 1, nullptr, nullptr, 32, false, nullptr}) != 0,
                 "an unknown variant runs");
    return report.finish();
}
