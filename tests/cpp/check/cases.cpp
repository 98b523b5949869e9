#include "check/cases.hpp"
#include "dispatch/registry.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>

namespace check {
namespace {

template <class T> constexpr T infinity = std::numeric_limits<T>::infinity();
template <class T> constexpr T lowest = std::numeric_limits<T>::lowest();

class Random {
  public:
    explicit Random(std::uint64_t seed) : engine_(seed) {}
    double uniform() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }
    double uniform(double low, double high) { return low + (high - low) * uniform(); }
    double normal() {
        return std::sqrt(-2 * std::log(1 - uniform())) * std::cos(6.283185307179586 * uniform());
    }
    std::uint64_t bits() { return engine_(); }
    std::size_t below(std::size_t n) { return static_cast<std::size_t>(engine_() % n); }

  private:
    std::mt19937_64 engine_;
};

template <class T> T some_nan(Random &random) { return nan_of<T>(random.bits()); }

template <class T> using Fill = void (*)(Random &, T *, std::size_t n, std::size_t r);

template <class T> struct Kind {
    const char *name;
    Fill<T> fill;
};

template <class T> void normal(Random &random, T *x, std::size_t n, double sigma, double offset) {
    for (std::size_t i = 0; i < n; ++i)
        x[i] = static_cast<T>(offset + sigma * random.normal());
}

template <class T>
const Kind<T> ordinary_kinds[] = {
    {"N(0, 1)", [](Random &g, T *x, std::size_t n, std::size_t) { normal(g, x, n, 1, 0); }},
    {"N(0, 4^2)", [](Random &g, T *x, std::size_t n, std::size_t) { normal(g, x, n, 4, 0); }},
    {"N(0, 25^2)", [](Random &g, T *x, std::size_t n, std::size_t) { normal(g, x, n, 25, 0); }},
    {"offset 1e5",
     [](Random &g, T *x, std::size_t n, std::size_t r) { normal(g, x, n, 4, r % 2 ? -1e5 : 1e5); }},
    {"offset 1e8",
     [](Random &g, T *x, std::size_t n, std::size_t r) { normal(g, x, n, 9, r % 2 ? -1e8 : 1e8); }},
    // where the kernels change from folding the maximum to subtracting it
    {"limits",
     [](Random &g, T *x, std::size_t n, std::size_t r) {
         constexpr double at[] = {64, 256, 2048, 16384};
         const double m = (r & 1 ? -1 : 1) * at[r / 2 % 4] * (r & 8 ? 1 - 1e-6 : 1);
         for (std::size_t i = 0; i < n; ++i)
             x[i] = static_cast<T>(m - std::abs(6 * g.normal()));
         if (n > 0)
             x[g.below(n)] = static_cast<T>(m);
     }},
    {"constant",
     [](Random &, T *x, std::size_t n, std::size_t r) {
         constexpr double value[] = {3.1415926, 0, -77.7, 1e30, -1e30, 1e-40};
         std::fill(x, x + n, static_cast<T>(value[r % 6]));
     }},
    // every addition to the lane that holds the maximum rounds the same way
    {"attention sink",
     [](Random &g, T *x, std::size_t n, std::size_t r) {
         constexpr double top[] = {0, 5.3, 8000.346};
         const double below = 5 + static_cast<double>(g.below(1300)) / 100;
         std::fill(x, x + n, static_cast<T>(top[r % 3] - below));
         if (n > 0)
             x[g.below(n)] = static_cast<T>(top[r % 3]);
     }},
    {"-inf mixed in",
     [](Random &g, T *x, std::size_t n, std::size_t) {
         normal(g, x, n, 2, 1);
         for (std::size_t i = 1; i < n; ++i)
             if (g.below(2))
                 x[i] = -infinity<T>;
     }},
    {"finfo.min mixed in",
     [](Random &g, T *x, std::size_t n, std::size_t r) {
         normal(g, x, n, 2, -5);
         for (std::size_t i = r % 2; i < n; i += 1 + g.below(3))
             x[i] = lowest<T>;
     }},
    {"finfo.min only",
     [](Random &, T *x, std::size_t n, std::size_t) { std::fill(x, x + n, lowest<T>); }},
    {"denormal window",
     [](Random &g, T *x, std::size_t n, std::size_t) {
         const double low = sizeof(T) == 4 ? -104 : -745, high = sizeof(T) == 4 ? -80 : -700;
         for (std::size_t i = 0; i < n; ++i)
             x[i] = static_cast<T>(5 + g.uniform(low, high));
         if (n > 0)
             x[g.below(n)] = 5;
     }},
    {"denormal logits",
     [](Random &g, T *x, std::size_t n, std::size_t) {
         for (std::size_t i = 0; i < n; ++i)
             x[i] = static_cast<T>(g.uniform(-1, 1)) * std::numeric_limits<T>::min();
     }},
    {"big spread",
     [](Random &g, T *x, std::size_t n, std::size_t r) {
         const double scale = r % 2 ? 200 : 0.999 * std::numeric_limits<T>::max();
         for (std::size_t i = 0; i < n; ++i)
             x[i] = static_cast<T>(scale * g.uniform(-1, 1));
     }},
    // each weight but one is about half of the last place of the sum
    {"one above many",
     [](Random &, T *x, std::size_t n, std::size_t r) {
         const double last_place = sizeof(T) == 4 ? -15.942 : -36.044; // ln of 2^-23, 2^-52
         constexpr double part[] = {0.5, 0.59, 0.61, 0.75};
         std::fill(x, x + n, static_cast<T>(last_place + std::log(part[r % 4])));
         if (n > 0)
             x[r % n] = 0;
     }},
    {"ascending",
     [](Random &, T *x, std::size_t n, std::size_t r) {
         for (std::size_t i = 0; i < n; ++i) {
             const double place = static_cast<double>(r % 2 ? n - 1 - i : i);
             x[i] = static_cast<T>(-3 + 12 * place / static_cast<double>(n));
         }
     }},
    {"-inf only",
     [](Random &, T *x, std::size_t n, std::size_t) { std::fill(x, x + n, -infinity<T>); }},
    {"+inf in it",
     [](Random &g, T *x, std::size_t n, std::size_t r) {
         normal(g, x, n, 1, 0);
         for (std::size_t i = 0; n > 0 && i <= r; ++i)
             x[g.below(n)] = infinity<T>;
     }},
    {"NaN in it",
     [](Random &g, T *x, std::size_t n, std::size_t r) {
         normal(g, x, n, 1, 0);
         for (std::size_t i = 0; n > 0 && i <= r; ++i)
             x[g.below(n)] = some_nan<T>(g);
     }},
};

/// Rows that have nothing in common, side by side: kernels may take several at a time.
template <class T> void unlike(Random &random, T *x, std::size_t n, std::size_t r) {
    constexpr double offset[] = {0, 1e5, -40, 0, -1e8, 300, 0, 3};
    normal(random, x, n, 3, offset[r % 8]);
    if (n > 0 && r % 4 == 3)
        x[random.below(n)] = r % 8 == 3 ? some_nan<T>(random) : infinity<T>;
    if (r % 7 == 6)
        std::fill(x, x + n, -infinity<T>);
}

/// `first` varies what depends on the number of the row.
template <class T>
Case<T> make(std::string name, std::size_t rows, std::size_t n, std::size_t gap, Fill<T> fill,
             Random &random, std::size_t first = 0) {
    Case<T> made{std::move(name), rows, n, static_cast<std::ptrdiff_t>(n + gap), {}};
    // the gaps hold +inf: a kernel that reads them spoils its result
    made.storage.assign(Case<T>::lead + rows * (n + gap), infinity<T>);
    for (std::size_t r = 0; r < rows; ++r)
        fill(random, made.row(r), n, first + r);
    return made;
}

template <class T> std::set<std::size_t> sizes() {
    std::set<std::size_t> all{0, 1, 2, 3, 129, 1000, 4097};
    for (const fastsoftmax::Isa &isa : fastsoftmax::all_isas())
        for (const fastsoftmax::Kernel &kernel : isa.kernels)
            if (kernel.dtype == std::string(sizeof(T) == 4 ? "float32" : "float64"))
                for (const std::size_t unroll : {1, 4, 8, 32}) {
                    const std::size_t n = unroll * static_cast<std::size_t>(kernel.lanes);
                    all.insert({n - 1, n, n + 1});
                }
    return all;
}

} // namespace

template <class T> std::vector<Case<T>> ordinary_cases(bool brief) {
    std::vector<Case<T>> cases;
    Random random(20180728);
    for (const Kind<T> &kind : ordinary_kinds<T>)
        for (const std::size_t n : sizes<T>()) {
            const std::size_t rows = n < 40 ? (brief ? 5 : 17) : n < 200 ? (brief ? 2 : 6) : 2;
            if (!brief || n < 200 || kind.fill == ordinary_kinds<T>[1].fill)
                cases.push_back(make<T>(kind.name, rows, n, Case<T>::gap, kind.fill, random, n));
        }
    for (const std::size_t kind : {0, 1, 6})
        if (!brief)
            cases.push_back(make<T>(ordinary_kinds<T>[kind].name, 1, 100003, Case<T>::gap,
                                    ordinary_kinds<T>[kind].fill, random));
    for (std::size_t n = 1; n <= 280; n += brief ? 9 : 1) { // every tail; shorter ones in many rows
        const std::size_t rows = n <= 48 ? n * 29 % 67 + 1 : n * 5 % 7 + 1;
        cases.push_back(make<T>("unlike rows", rows, n, Case<T>::gap, unlike<T>, random));
    }
    for (const std::size_t rows : {0, 1, 2, 16, 31, 32, 33, 63, 64, 65, 130})
        for (const std::size_t n : {1, 16, 33, 64, 100})
            if (!brief || n < 20)
                cases.push_back(make<T>("unlike rows", rows, n, Case<T>::gap, unlike<T>, random));
    return cases;
}

template <class T> std::vector<Case<T>> positional_cases(bool brief) {
    static constexpr Kind<T> kinds[] = {
        {"NaN at each place",
         [](Random &g, T *x, std::size_t n, std::size_t r) {
             normal(g, x, n, 1, 0);
             x[r] = some_nan<T>(g);
         }},
        {"+inf at each place",
         [](Random &g, T *x, std::size_t n, std::size_t r) {
             normal(g, x, n, 1, 0);
             x[r] = infinity<T>;
         }},
        {"maximum at each place",
         [](Random &g, T *x, std::size_t n, std::size_t r) {
             normal(g, x, n, 1, -9);
             x[r] = 2;
         }},
        {"one number among -inf",
         [](Random &, T *x, std::size_t n, std::size_t r) {
             std::fill(x, x + n, -infinity<T>);
             x[r] = static_cast<T>(r) - 9;
         }},
        {"NaN among -inf",
         [](Random &g, T *x, std::size_t n, std::size_t r) {
             std::fill(x, x + n, -infinity<T>);
             x[r] = some_nan<T>(g);
         }},
        {"NaN beside +inf",
         [](Random &g, T *x, std::size_t n, std::size_t r) {
             std::fill(x, x + n, T(1));
             x[r] = some_nan<T>(g);
             x[(r + 3) % n] = infinity<T>;
         }},
    };
    std::vector<Case<T>> cases;
    Random random(20260101);
    for (const Kind<T> &kind : kinds)
        for (const std::size_t n : {5, 19, brief ? 33 : 67})
            cases.push_back(make<T>(kind.name, n, n, Case<T>::gap, kind.fill, random));
    return cases;
}

template <class T> std::vector<Case<T>> long_cases() {
    std::vector<Case<T>> cases;
    Random random(1 << 24);
    const auto add = [&](std::size_t kind, std::size_t n) {
        cases.push_back(
            make<T>(ordinary_kinds<T>[kind].name, 1, n, 0, ordinary_kinds<T>[kind].fill, random));
    };
    for (std::size_t kind = 0; kind < std::size(ordinary_kinds<T>); ++kind)
        add(kind, 400003);
    for (const std::size_t kind : {0, 6})
        add(kind, std::size_t{1} << 24);
    constexpr std::size_t n = 2051, bytes = 25 << 20;
    cases.push_back(
        make<T>("unlike rows", bytes / sizeof(T) / n, n, Case<T>::gap, unlike<T>, random));
    return cases;
}

template std::vector<Case<float>> ordinary_cases(bool);
template std::vector<Case<double>> ordinary_cases(bool);
template std::vector<Case<float>> positional_cases(bool);
template std::vector<Case<double>> positional_cases(bool);
template std::vector<Case<float>> long_cases();
template std::vector<Case<double>> long_cases();

} // namespace check
