// The int8 operations, on rows whose elements lie side by side along the last axis. Anything else
// is left to Python, which prepares it and calls again, or says what is wrong.
#include "fastsoftmax/int8.hpp"
#include "adaptation.hpp"
#include "dispatch/registry.hpp"
#include "kernels/arguments.hpp"
#include "module.hpp"
#include "options.hpp"

#include <nanobind/stl/string.h>

#include <cmath>

namespace fastsoftmax::python {
namespace {

/// Names of an operation's variants, never freed.
template <class Arguments> const std::vector<std::string> &variants() {
    static const auto &names = *new std::vector<std::string>(variants_of(Arguments::op));
    return names;
}

/// What `dtype` names, `own` for None, none for anything but results.
Element result_of(nb::handle dtype, Element own) {
    if (dtype.is_none())
        return own;
    for (const Element element : {Element::uint8, Element::int16}) {
        PyArray_Descr *const descriptor = PyArray_DescrFromType(static_cast<int>(element));
        const nb::object held = stolen(reinterpret_cast<PyObject *>(descriptor));
        if (dtype.is(held) || dtype.ptr() == reinterpret_cast<PyObject *>(descriptor->typeobj))
            return element;
    }
    return Element::none;
}

bool adjacent(const Buffer &array, std::size_t size) {
    return array.shape().back() <= 1 || array.strides().back() == static_cast<std::ptrdiff_t>(size);
}

/// Logits, mask and options. `ready` says whether they are of the well-formed kind.
class Int8Call {
  public:
    Int8Call(nb::handle logits, nb::handle variant, nb::handle axis, nb::handle mask,
             nb::handle threads, nb::handle isa)
        : x(logits, false), logits_(logits) {
        if (x.element() != Element::int8 || x.dimensions() == 0 || !adjacent(x, 1) ||
            !read_options(variant, threads, isa, options) ||
            axis_of(axis, x.dimensions()) + 1 != static_cast<std::ptrdiff_t>(x.dimensions()))
            return;
        rows = x.shape().first(x.dimensions() - 1);
        if (!mask.is_none()) {
            mask_.emplace(mask, false);
            if (mask_->element() != Element::boolean || !mask_to_.fit(*mask_, x.shape()))
                return;
            mask_bytes_ = mask_to_.array<const std::uint8_t>(*mask_);
            if (x.shape().back() > 1 && mask_bytes_.strides.back() != 1)
                return;
        }
        ready = true;
    }

    /// Strides of parameters that the rows of a head share, in bytes; false if they don't fit. The
    /// last `leave` dimensions are one head's.
    bool fit(const Buffer &heads, std::size_t leave, std::vector<std::ptrdiff_t> &strides) const {
        strides.assign(rows.size(), 0);
        const std::size_t own = heads.dimensions() - leave;
        if (own > 0 && own >= rows.size())
            return false;
        for (std::size_t i = 0, at = rows.size() - own - (own > 0); i < own; ++i, ++at)
            if (heads.shape()[i] != 1) {
                if (heads.shape()[i] != rows[at])
                    return false;
                strides[at] = heads.strides()[i];
            }
        return true;
    }

    /// Calls f(x, mask, y); y is `out` or a new array. False if `out` isn't the array to write to.
    template <class F>
    nb::object write(nb::handle out, Element type, const Buffer &parameters, const F &f) const {
        const bool bytes = type == Element::uint8;
        const nb::object result = !out.is_none() ? nb::borrow(out) : new_like(logits_, type);
        const Buffer y(result, true);
        if (y.element() != type || !std::ranges::equal(x.shape(), y.shape()) ||
            !adjacent(y, bytes ? 1 : 2) || (!bytes && !y.aligned<std::int16_t>()) ||
            (!out.is_none() && (!y.apart() || x.overlaps(y) || (mask_ && mask_->overlaps(y)) ||
                                parameters.overlaps(y))))
            return nb::borrow(Py_False);
        run(x.elements(), [&] {
            const auto logits = x.array<const std::int8_t>();
            if (bytes)
                f(logits, mask_bytes_, y.array<std::uint8_t>());
            else
                f(logits, mask_bytes_, y.array<std::int16_t>());
        });
        return result;
    }

    Buffer x;
    Options options;
    std::span<const std::size_t> rows; ///< extents of all dimensions but the axis
    bool ready = false;

  private:
    nb::handle logits_;
    std::optional<Buffer> mask_;
    Broadcast mask_to_;
    int8::Mask mask_bytes_{};
};

/// `heads` holds B, S, Dmax in its last dimension, for rows of `calibrated` or of any length.
nb::object hccs(nb::handle x, nb::handle heads, std::size_t calibrated, nb::handle mode,
                nb::handle axis, nb::handle mask, nb::handle out, nb::handle dtype,
                nb::handle threads, nb::handle isa) {
    const Int8Call call(x, mode, axis, mask, threads, isa);
    const Buffer parameters(heads, false);
    if (!call.ready || parameters.element() != Element::int32 || !parameters.packed() ||
        parameters.dimensions() == 0 || parameters.shape().back() != 3)
        return nb::borrow(Py_False);
    const std::string_view name = call.options.variant;
    const bool wide = name == "wide", bytes = name.starts_with("i8");
    const Element own = bytes ? Element::uint8 : Element::int16, type = result_of(dtype, own);
    const std::size_t n = call.x.shape().back();
    std::vector<std::ptrdiff_t> strides;
    if (std::ranges::find(variants<HccsArguments>(), name) == variants<HccsArguments>().end() ||
        type == Element::none || (!wide && (type != own || n != calibrated)) ||
        !call.fit(parameters, 1, strides))
        return nb::borrow(Py_False);
    const Array<const int8::Head> each{parameters.data<const int8::Head>(), call.rows, strides};
    const auto fails = [&](const int8::Head &head) {
        return !int8::problem_of(head, name, n).empty();
    };
    if (n > 0 && std::any_of(each.data, each.data + parameters.elements() / 3, fails))
        return nb::borrow(Py_False);
    return call.write(out, type, parameters, [&](auto logits, auto mask, auto y) {
        int8::hccs(logits, each, mask, y, call.options);
    });
}

nb::object softmax(nb::handle x, nb::handle scale, nb::handle table, nb::handle axis,
                   nb::handle mask, nb::handle out, nb::handle dtype, nb::handle threads,
                   nb::handle isa) {
    Int8Call call(x, table, axis, mask, threads, isa);
    const Element type = result_of(dtype, Element::none);
    if (!call.ready || type == Element::none)
        return nb::borrow(Py_False);
    const std::vector<std::string> &names = variants<ByteTableArguments>();
    if (call.options.variant == "auto")
        call.options.variant = names.back();
    else if (std::ranges::find(names, call.options.variant) == names.end())
        return nb::borrow(Py_False);
    const auto good = [](double value) { return value > 0 && std::isfinite(value); };
    std::vector<std::ptrdiff_t> strides(call.rows.size(), 0);
    const Buffer scales(scale, false); // none, where it is a number
    const auto write = [&](const double *each) {
        return call.write(out, type, scales, [&](auto logits, auto mask, auto y) {
            int8::softmax(logits, {each, call.rows, strides}, mask, y, call.options);
        });
    };
    if (PyFloat_CheckExact(scale.ptr())) {
        const double value = PyFloat_AsDouble(scale.ptr());
        return good(value) ? write(&value) : nb::borrow(Py_False);
    }
    const auto *all = scales.data<const double>();
    if (!scales.is_double() || !scales.packed() || !scales.aligned<double>() ||
        !call.fit(scales, 0, strides) || !std::all_of(all, all + scales.elements(), good))
        return nb::borrow(Py_False);
    return write(all);
}

} // namespace

void add_int8(nb::module_ &module) {
    // None has to come through everywhere: saying what is wrong with it is left to Python
    const auto any = [](const char *name) { return nb::arg(name).none(); };
    module.def("hccs", &hccs, any("x"), any("heads"), nb::arg("n"), any("mode"), any("axis"),
               any("mask"), any("out"), any("dtype"), any("threads"), any("isa"));
    module.def("int8_softmax", &softmax, any("x"), any("scale"), any("table"), any("axis"),
               any("mask"), any("out"), any("dtype"), any("threads"), any("isa"));
    module.def("hccs_problem", [](int b, int s, int Dmax, const std::string &mode, std::size_t n) {
        return int8::problem_of({b, s, Dmax}, mode, n);
    });
}

} // namespace fastsoftmax::python
