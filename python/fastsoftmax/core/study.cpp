// Single weights and single updates of the state, for the bench and the tests.
#include "common/sizes.hpp"
#include "dispatch/kernel_for.hpp"
#include "fastsoftmax/heinsen.hpp"
#include "kernels/heinsen/arguments.hpp"
#include "module.hpp"
#include "options.hpp"

#include <nanobind/stl/string.h>

#include <vector>

namespace fastsoftmax::python {
namespace {

template <class F> void with_dtype(bool is_double, const F &f) {
    if (is_double)
        f(double{});
    else
        f(float{});
}

template <class T> T *contiguous(const Buffer &a) {
    if (a.dimensions() != 1 || a.is_double() != (sizeof(T) == 8) ||
        (a.shape()[0] > 1 && a.strides()[0] != static_cast<std::ptrdiff_t>(sizeof(T))) ||
        reinterpret_cast<std::uintptr_t>(a.data<void>()) % sizeof(T) != 0)
        throw std::invalid_argument("wants contiguous, aligned 1-D arrays of one float dtype");
    return a.data<T>();
}

void require_same(const Buffer &a, const Buffer &b) {
    if (!a.is_float() || !b.is_float() || a.is_double() != b.is_double() ||
        !std::ranges::equal(a.shape(), b.shape()))
        throw std::invalid_argument("wants contiguous 1-D arrays of one float dtype");
}

void weight(const std::string &variant, const std::string &isa, nb::handle d, nb::handle out) {
    const Buffer from(d, false), to(out, true);
    require_same(from, to);
    with_dtype(from.is_double(), [&](auto zero) {
        using T = decltype(zero);
        const WeightArguments<T> arguments{contiguous<const T>(from), contiguous<T>(to),
                                           from.elements()};
        const auto kernel = kernel_for<WeightArguments<T>>(variant, isa);
        run(from.elements(), [&] { kernel(arguments); });
    });
}

void update(const std::string &variant, const std::string &isa, nb::handle m, nb::handle s,
            nb::handle x, nb::handle out, std::size_t repeats) {
    const Buffer ms(m, false), ss(s, false), xs(x, false), to(out, true);
    require_same(ms, to);
    require_same(ss, to);
    require_same(xs, to);
    with_dtype(to.is_double(), [&](auto zero) {
        using T = decltype(zero);
        const UpdateArguments<T> arguments{contiguous<const T>(ms), contiguous<const T>(ss),
                                           contiguous<const T>(xs), contiguous<T>(to),
                                           to.elements(),           repeats};
        const auto kernel = kernel_for<UpdateArguments<T>>(variant, isa);
        run(times(to.elements(), repeats), [&] { kernel(arguments); });
    });
}

/// Tokens of one head, one call of the kernel for each: what decoding costs without Python.
void heinsen_tokens(const std::string &isa, nb::handle state, nb::handle q, nb::handle k,
                    nb::handle v, nb::handle out, std::size_t d_k, std::size_t d_v) {
    const Buffer st(state, true), qs(q, false), ks(k, false), vs(v, false), to(out, true);
    require_same(qs, ks);
    require_same(vs, to);
    with_dtype(to.is_double(), [&](auto zero) {
        using T = decltype(zero);
        T *const weights = contiguous<T>(st), *const y = contiguous<T>(to);
        const T *const ka = contiguous<const T>(ks), *const va = contiguous<const T>(vs);
        if (d_k == 0 || d_v == 0 || st.elements() != heinsen_size(d_k, d_v) ||
            qs.elements() / d_k != vs.elements() / d_v)
            throw std::invalid_argument("wants the state of one head, q, k, v and y of n tokens");
        const auto kernel = kernel_for<HeinsenArguments<T>>("exact", isa);
        std::vector<T> scratch(heinsen_scratch_size(d_k) + heinsen_line);
        for (std::size_t t = 0; t < qs.elements() / d_k; ++t)
            kernel({weights, weights + heinsen_weights_size(d_k), heinsen_aligned(scratch.data()),
                    contiguous<const T>(qs) + t * d_k, ka + t * d_k, va + t * d_v, y + t * d_v, 1,
                    d_k, d_v, 0, d_v});
    });
}

} // namespace

void add_study(nb::module_ &module) {
    module.def("weight", &weight);
    module.def("update", &update);
    module.def("heinsen_tokens", &heinsen_tokens);
}

} // namespace fastsoftmax::python
