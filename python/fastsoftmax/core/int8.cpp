// The int8 operations. Python has prepared their arguments: the axis last, elements of a row side
// by side, parameters for every row (with strides of 0 where rows share them).
#include "fastsoftmax/int8.hpp"
#include "module.hpp"
#include "options.hpp"

#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <optional>

namespace fastsoftmax::python {
namespace {

template <class T> using Given = nb::ndarray<nb::numpy, const T, nb::device::cpu>;
using Logits = Given<std::int8_t>;
using Mask = std::optional<Given<std::uint8_t>>;
using Result = nb::ndarray<nb::numpy, nb::device::cpu>;

/// An ndarray as the C++ API takes it; the last `leave` dimensions belong to an element.
struct Layout {
    std::vector<std::size_t> shape;
    std::vector<std::ptrdiff_t> strides;

    template <class A> explicit Layout(const A &array, std::size_t leave = 0) {
        for (std::size_t i = 0; i + leave < array.ndim(); ++i) {
            shape.push_back(array.shape(i));
            strides.push_back(array.stride(i) * static_cast<std::ptrdiff_t>(array.itemsize()));
        }
    }
    template <class T> Array<T> of(void *data) const {
        return {static_cast<T *>(data), shape, strides};
    }
};

template <class T> Array<const T> constant(const Layout &layout, const void *data) {
    return layout.of<const T>(const_cast<void *>(data));
}

/// Calls f(x, mask, y) with y of the type that `out` has.
template <class F> void with_arrays(const Logits &x, const Mask &mask, Result &out, const F &f) {
    const Layout xs(x), ys(out);
    const std::optional<Layout> ms = mask ? std::optional(Layout(*mask)) : std::nullopt;
    int8::Mask kept{};
    if (mask)
        kept = constant<std::uint8_t>(*ms, mask->data());
    const Array<const std::int8_t> logits = constant<std::int8_t>(xs, x.data());
    run(x.size(), [&] {
        if (out.dtype() == nb::dtype<std::uint8_t>())
            f(logits, kept, ys.of<std::uint8_t>(out.data()));
        else if (out.dtype() == nb::dtype<std::int16_t>())
            f(logits, kept, ys.of<std::int16_t>(out.data()));
        else
            throw std::invalid_argument("out must be uint8 or int16");
    });
}

void hccs(const Logits &x, const Mask &mask, Result out, const Given<std::int32_t> &heads,
          const std::string &mode, int threads, const std::string &isa) {
    if (heads.ndim() == 0 || heads.shape(heads.ndim() - 1) != 3 ||
        heads.stride(heads.ndim() - 1) != 1)
        throw std::invalid_argument("parameters must be B, S, Dmax in the last dimension");
    const Layout layout(heads, 1);
    const Options options{.variant = mode, .isa = isa, .threads = threads};
    with_arrays(x, mask, out, [&](auto logits, auto kept, auto y) {
        int8::hccs(logits, kept, y, constant<int8::Head>(layout, heads.data()), options);
    });
}

void softmax(const Logits &x, const Mask &mask, Result out, const Given<double> &scales,
             const std::string &table, int threads, const std::string &isa) {
    const Layout layout(scales);
    const Options options{.variant = table, .isa = isa, .threads = threads};
    with_arrays(x, mask, out, [&](auto logits, auto kept, auto y) {
        int8::softmax(logits, kept, y, constant<double>(layout, scales.data()), options);
    });
}

} // namespace

void add_int8(nb::module_ &module) {
    const auto given = [](const char *name) { return nb::arg(name).noconvert(); };
    module.def("hccs", &hccs, given("x"), given("mask").none(), given("out"), given("heads"),
               nb::arg("mode"), nb::arg("threads"), nb::arg("isa"));
    module.def("int8_softmax", &softmax, given("x"), given("mask").none(), given("out"),
               given("scales"), nb::arg("table"), nb::arg("threads"), nb::arg("isa"));
    module.def("hccs_problem", [](int b, int s, int Dmax, const std::string &mode, std::size_t n) {
        return int8::problem_of({b, s, Dmax}, mode, n);
    });
}

} // namespace fastsoftmax::python
