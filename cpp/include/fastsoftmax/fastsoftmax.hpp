// fastsoftmax: softmax over one axis, exact or with a surrogate of exp, on the best instruction set
// that the CPU has. The C++ face of the library; link with fastsoftmax::fastsoftmax.
//
//   std::vector<float> p(x.size());
//   fastsoftmax::online(x.data(), p.data(), rows, columns);                    // exact
//   fastsoftmax::online(x.data(), p.data(), rows, columns, {.variant = "quad16"});
//
// Logits are float, double (variant "exact" only, except for `scan`), float16 or bfloat16; halves
// are computed in float, and results rounded once. Functions are safe to call from several threads
// at once. Errors: std::invalid_argument for what the caller got wrong (it lists the choices),
// std::length_error and std::bad_alloc for sizes that cannot be.
#pragma once
#include "fastsoftmax/half.hpp"
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace fastsoftmax {

struct Options {
    std::string_view variant = "exact"; ///< see variants()
    /// Threads to use at most; 0: FASTSOFTMAX_NUM_THREADS, OMP_NUM_THREADS, or the CPUs that
    /// affinity mask and cgroup leave. Rows are split over them where each gets about 20 us of
    /// work; bits don't depend on it.
    int threads = 0;
    std::string_view isa = {}; ///< for tests and measurements; empty: the best there is
};

/// An array of any layout: extents and strides of every dimension, strides in bytes. The data need
/// not be aligned.
template <class T> struct Array {
    T *data = nullptr;
    std::span<const std::size_t> shape = {};
    std::span<const std::ptrdiff_t> strides = {};
};

/// What logits of type E are computed in.
template <class E> using Computed = std::conditional_t<std::is_same_v<E, double>, double, float>;

/// Whether logits computed in T can be scaled by it: finite, and 0 or a normal number. Kernels take
/// a denormal number for 0, which makes NaN of -inf.
template <class T> bool is_scale(double scale) {
    const double size = static_cast<double>(static_cast<T>(scale < 0 ? -scale : scale));
    return size == 0 ? scale == 0
                     : size >= static_cast<double>(std::numeric_limits<T>::min()) &&
                           size <= static_cast<double>(std::numeric_limits<T>::max());
}

/// What is done to logits first: softmax of scale * x, masked, with a sink. Arrays without data are
/// absent; those that are there have extents as said, and strides of 0 where they are broadcast.
template <class T> struct Adaptation {
    double scale = 1; ///< rounded to T first; see is_scale
    /// Shape of the logits. False: the position takes no part and gets 0; so does a row where
    /// nothing is left. At most one of `keep` and `add`.
    Array<const bool> keep = {};
    /// Shape of the logits. Added to scale * x; half of the lowest number and less counts as false.
    Array<const T> add = {};
    /// Shape of the logits without the axis: one more logit a row, neither scaled nor masked, that
    /// takes its share of the sum and gets no result.
    Array<const T> sink = {};
};

/// Softmax along `axis` into y, which has the shape of x and may be x itself; otherwise they don't
/// overlap. Elements of y lie apart: each of its strides passes over all that the smaller ones
/// reach. Error of "exact": relative 5e-7 for x - max > -20 and absolute 3e-7 anywhere (float),
/// relative 4e-15 (double), against softmax of the float (double) scale * x + mask. A row with NaN
/// or +inf, or of -inf only, is NaN.
template <class E>
void online(Array<const E> x, Array<E> y, std::size_t axis, Options = {},
            const Adaptation<Computed<E>> & = {});

/// log(softmax): (x - m) - log s, with m and s as `normalizer` gives them. Error of "exact":
/// absolute 5e-7 (float), 4e-15 (double), and two roundings.
template <class E>
void log_softmax(Array<const E> x, Array<E> y, std::size_t axis, Options = {},
                 const Adaptation<Computed<E>> & = {});

/// m = max x and s = sum of the weights of x - m along `axis`: the state of online softmax, one for
/// each row in C order. (-inf, 0) where there is nothing, (NaN, NaN) where there is a NaN,
/// (+inf, NaN) where there is +inf.
template <class E>
void normalizer(Array<const E> x, Computed<E> *m, Computed<E> *s, std::size_t axis, Options = {},
                const Adaptation<Computed<E>> & = {});

/// log(sum(exp(x))) along `axis`, one for each row in C order: m + log s.
template <class E>
void logsumexp(Array<const E> x, Computed<E> *out, std::size_t axis, Options = {},
               const Adaptation<Computed<E>> & = {});

/// Probabilities and places of the k largest elements of scale * x along `axis`, k for each row in
/// C order; k may be up to the extent. In descending order; equal ones by place, then -inf, NaN
/// last. p is what `online` gives there, with the same error and NaN in the same rows; 0 where the
/// mask has left nothing. Up to k = 64 a row is read once. "exact" only; no sink.
template <class E>
void topk(Array<const E> x, std::size_t k, E *p, std::int64_t *index, std::size_t axis,
          Options = {}, const Adaptation<Computed<E>> & = {});

/// The state (m, s) by the recurrence, one element after another; scalar instruction sets, T float
/// or double.
template <class T> void scan(Array<const T> x, T *m, T *s, std::size_t axis, Options = {});

/// Softmax of contiguous rows.
template <class E>
void online(const E *x, E *y, std::size_t rows, std::size_t n, Options options = {}) {
    const std::size_t shape[] = {rows, n};
    const std::ptrdiff_t strides[] = {static_cast<std::ptrdiff_t>(n * sizeof(E)),
                                      static_cast<std::ptrdiff_t>(sizeof(E))};
    online<E>(Array<const E>{x, shape, strides}, Array<E>{y, shape, strides}, 1, options);
}

/// What is known of one kernel.
struct KernelInfo {
    std::string id; ///< "op/variant/isa"
    std::string op, variant, isa, dtype;
    int lanes;
    double bound; ///< claimed error, of what `bound_kind` says
    std::string bound_kind;
    std::string form; ///< how the weight is written: "exp", "h(d)", "h(u)", "g(m, s, x)"
    double domain;    ///< lower end of d = x - m; the weight is `tail` below it
    double value_at_zero, tail;
    bool monotone;
    int operations;
    std::string rescale; ///< what rescales s in `scan` on a new maximum
    std::string source;
    bool available; ///< whether this CPU runs it
};

std::vector<KernelInfo> kernels();
std::vector<std::string> variants(std::string_view op = "online");
/// Instruction sets, best first: those that run here, or all that were compiled.
std::vector<std::string> isas(bool all = false);
const char *version();
const char *compiler(); ///< name and version of the compiler that built the kernels

} // namespace fastsoftmax
