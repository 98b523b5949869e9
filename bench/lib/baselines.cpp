// What the study compares with: the online softmax update written with std::exp, in plain scalar
// C++.
//
//   two_exp   s' = exp(x - m') + s * exp(m - m'),  m' = max(m, x)      as published: two calls a
//   step one_exp   e = exp(-|x - m|);  s' = x > m ? s * e + 1 : s + e       the same value from one
//   call
//
// The two forms agree because one of the two exponents of the first is always 0. one_exp picks by
// bit masks, so that a step with a new maximum costs what any other step costs.
//
// `update` works through independent tuples (throughput), `scan` carries (m, s) along a row
// (latency), `softmax` is the three-loop softmax that anyone would write first. Compiled with -O3,
// without vectorising and without contraction: a speed-up quoted against these is one over scalar
// code. Edge inputs: finite logits only. Rejected: an `if` for the new maximum, which is faster on
// long rows (the branch is well predicted) but makes the cost depend on the data.
#include "without_gil.hpp"

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

namespace nb = nanobind;
using fastsoftmax::python::without_gil;
using namespace nb::literals;

namespace {

template <class T> using In1 = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T> using Out1 = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T> using In2 = nb::ndarray<const T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class T> using Out2 = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

/// a where the condition holds, else b, without a branch.
template <class T> T select(bool condition, T a, T b) {
    using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
    const Bits mask = Bits{0} - static_cast<Bits>(condition);
    return std::bit_cast<T>((std::bit_cast<Bits>(a) & mask) | (std::bit_cast<Bits>(b) & ~mask));
}

struct TwoExp {
    template <class T> static T step(T m, T s, T x) {
        const T top = x > m ? x : m;
        return std::exp(x - top) + s * std::exp(m - top);
    }
};

struct OneExp {
    template <class T> static T step(T m, T s, T x) {
        const bool rises = x > m;
        const T e = std::exp(-std::abs(x - m));
        return s * select(rises, e, T{1}) + select(rises, T{1}, e);
    }
};

/// Runs `work` with the form called `name`.
template <class Work> void with_form(const std::string &name, Work work) {
    if (name == "two_exp") {
        work(TwoExp{});
    } else if (name == "one_exp") {
        work(OneExp{});
    } else {
        throw nb::value_error(("unknown baseline '" + name + "': two_exp, one_exp").c_str());
    }
}

template <class T>
void update(const std::string &name, In1<T> m, In1<T> s, In1<T> x, Out1<T> out, int repeats) {
    const std::size_t n = out.shape(0);
    if (m.shape(0) != n || s.shape(0) != n || x.shape(0) != n) {
        throw nb::value_error("m, s, x and out must have the same length");
    }
    const T *pm = m.data(), *ps = s.data(), *px = x.data();
    T *po = out.data();
    with_form(name, [&](auto form) {
        without_gil([=] {
            for (int pass = 0; pass < repeats; ++pass) {
                for (std::size_t i = 0; i < n; ++i) {
                    po[i] = form.template step<T>(pm[i], ps[i], px[i]);
                }
                asm volatile("" ::: "memory"); // or equal passes could be merged into one
            }
        });
    });
}

template <class T> void scan(const std::string &name, In2<T> x, Out1<T> m, Out1<T> s) {
    const std::size_t rows = x.shape(0), columns = x.shape(1);
    if (m.shape(0) != rows || s.shape(0) != rows) {
        throw nb::value_error("m and s must have one element per row of x");
    }
    if (columns == 0) {
        throw nb::value_error("the rows of x must not be empty");
    }
    const T *px = x.data();
    T *pm = m.data(), *ps = s.data();
    with_form(name, [&](auto form) {
        without_gil([=] {
            for (std::size_t row = 0; row < rows; ++row) {
                const T *line = px + row * columns;
                T top = line[0], sum = T{1};
                for (std::size_t i = 1; i < columns; ++i) {
                    sum = form.template step<T>(top, sum, line[i]);
                    top = line[i] > top ? line[i] : top;
                }
                pm[row] = top;
                ps[row] = sum;
            }
        });
    });
}

template <class T> void softmax(In2<T> x, Out2<T> out) {
    const std::size_t rows = x.shape(0), columns = x.shape(1);
    if (out.shape(0) != rows || out.shape(1) != columns) {
        throw nb::value_error("out must have the shape of x");
    }
    if (columns == 0) {
        return;
    }
    without_gil([rows, columns, px = x.data(), po = out.data()]() mutable {
        for (std::size_t row = 0; row < rows; ++row, px += columns, po += columns) {
            T top = px[0];
            for (std::size_t i = 1; i < columns; ++i) {
                top = px[i] > top ? px[i] : top;
            }
            T sum = T{0};
            for (std::size_t i = 0; i < columns; ++i) {
                po[i] = std::exp(px[i] - top);
                sum += po[i];
            }
            const T scale = T{1} / sum;
            for (std::size_t i = 0; i < columns; ++i) {
                po[i] *= scale;
            }
        }
    });
}

template <class T> void add_for(nb::module_ &module) {
    module.def("update", &update<T>, "name"_a, "m"_a.noconvert(), "s"_a.noconvert(),
               "x"_a.noconvert(), "out"_a.noconvert(), "repeats"_a,
               "Write s' of every tuple (m, s, x) into out, `repeats` times over.");
    module.def("scan", &scan<T>, "name"_a, "x"_a.noconvert(), "m"_a.noconvert(), "s"_a.noconvert(),
               "Write the state (m, s) after each row of x, step by step from m = x[0], s = 1.");
    module.def("softmax", &softmax<T>, "x"_a.noconvert(), "out"_a.noconvert(),
               "Write the softmax of each row of x into out by a loop over std::exp.");
}

} // namespace

NB_MODULE(_baselines, module) {
    module.doc() = "The std::exp baselines of the study (float32 and float64, NumPy arrays).";
    module.def(
        "names",
        [] {
            nb::list names;
            names.append("two_exp");
            names.append("one_exp");
            return names;
        },
        "Names of the update forms.");
    add_for<float>(module);
    add_for<double>(module);
}
