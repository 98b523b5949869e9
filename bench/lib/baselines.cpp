// What the study compares with: the online softmax update written with std::exp, in plain scalar
// C++.
//
//   two_exp   s' = exp(x - m') + s * exp(m - m'),  m' = max(m, x)
//   one_exp   e = exp(-|x - m|);  s' = x > m ? s * e + 1 : s + e
//
// The first is as published, two calls a step; the second finds the same value by one call. They
// agree because one of the two exponents of the first is always 0. one_exp picks by bit masks, so
// that a step with a new maximum costs what any other step costs.
//
// `update` works through independent tuples (throughput), `scan` carries (m, s) along a row
// (latency), `softmax` is the three-loop softmax that anyone would write first. All loops are in
// here: nothing of Python is timed. baselines.py compiles this file, checks arguments and calls it;
// its flags are -O3 without vectorising and without contraction: a speed-up quoted against these is
// one over scalar code. Edge inputs: finite logits only, at least one in a row. Rejected: an `if`
// for the new maximum, which is faster on long rows (the branch is well predicted) but makes the
// cost depend on the data.
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace {

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

/// Writes s' of each of n tuples (m, s, x) into out, `repeats` times over.
template <class Form, class T>
void update(const T *m, const T *s, const T *x, T *out, std::size_t n, int repeats) {
    for (int pass = 0; pass < repeats; ++pass) {
        for (std::size_t i = 0; i < n; ++i) {
            out[i] = Form::template step<T>(m[i], s[i], x[i]);
        }
        asm volatile("" ::: "memory"); // or equal passes could be merged into one
    }
}

/// Writes the state (m, s) after each row of x, step by step from m = x[0], s = 1.
template <class Form, class T>
void scan(const T *x, std::size_t rows, std::size_t columns, T *m, T *s) {
    for (std::size_t row = 0; row < rows; ++row) {
        const T *line = x + row * columns;
        T top = line[0], sum = T{1};
        for (std::size_t i = 1; i < columns; ++i) {
            sum = Form::template step<T>(top, sum, line[i]);
            top = line[i] > top ? line[i] : top;
        }
        m[row] = top;
        s[row] = sum;
    }
}

/// Writes the softmax of each row of x into out by a loop over std::exp.
template <class T> void softmax(const T *x, std::size_t rows, std::size_t columns, T *out) {
    for (std::size_t row = 0; row < rows; ++row, x += columns, out += columns) {
        T top = x[0];
        for (std::size_t i = 1; i < columns; ++i) {
            top = x[i] > top ? x[i] : top;
        }
        T sum = T{0};
        for (std::size_t i = 0; i < columns; ++i) {
            out[i] = std::exp(x[i] - top);
            sum += out[i];
        }
        const T scale = T{1} / sum;
        for (std::size_t i = 0; i < columns; ++i) {
            out[i] *= scale;
        }
    }
}

} // namespace

// The C interface: functions named by form and by the dtype of NumPy.
#define FORM(name, Form, dtype, T)                                                                 \
    void update_##name##_##dtype(const T *m, const T *s, const T *x, T *out, std::size_t n,        \
                                 int repeats) {                                                    \
        update<Form, T>(m, s, x, out, n, repeats);                                                 \
    }                                                                                              \
    void scan_##name##_##dtype(const T *x, std::size_t rows, std::size_t columns, T *m, T *s) {    \
        scan<Form, T>(x, rows, columns, m, s);                                                     \
    }

#define DTYPE(dtype, T)                                                                            \
    FORM(two_exp, TwoExp, dtype, T)                                                                \
    FORM(one_exp, OneExp, dtype, T)                                                                \
    void softmax_##dtype(const T *x, std::size_t rows, std::size_t columns, T *out) {              \
        softmax<T>(x, rows, columns, out);                                                         \
    }

extern "C" {
DTYPE(float32, float)
DTYPE(float64, double)
}
