// Single weights and single updates of the state, for the bench and the tests.
#include "dispatch/registry.hpp"
#include "kernels/arguments.hpp"
#include "module.hpp"
#include "options.hpp"

#include <nanobind/stl/string.h>

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
        (a.shape()[0] > 1 && a.strides()[0] != static_cast<std::ptrdiff_t>(sizeof(T))))
        throw std::invalid_argument("wants contiguous 1-D arrays of one float dtype");
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
        const auto &kernel = choose_kernel("weight", variant, dtype_name<T>, isa);
        run(from.elements(), [&] { call(kernel, arguments); });
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
        const auto &kernel = choose_kernel("update", variant, dtype_name<T>, isa);
        run(to.elements() * repeats, [&] { call(kernel, arguments); });
    });
}

} // namespace

void add_study(nb::module_ &module) {
    module.def("weight", &weight);
    module.def("update", &update);
}

} // namespace fastsoftmax::python
