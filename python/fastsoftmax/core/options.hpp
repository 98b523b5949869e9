// The arguments that all operations share, read from Python objects without words for what is
// wrong.
#pragma once
#include "../without_gil.hpp"
#include "buffer.hpp"
#include "dispatch/thread_count.hpp"

namespace fastsoftmax::python {

constexpr std::size_t worth_releasing = 8192; // elements: 36 us on scalar, 3 us on AVX-512

/// The axis counted from the front, or -1 if it isn't an int in range.
inline std::ptrdiff_t axis_of(nb::handle axis, std::size_t dimensions) {
    if (!PyLong_CheckExact(axis.ptr()))
        return -1;
    const long value = PyLong_AsLong(axis.ptr());
    if (value == -1 && PyErr_Occurred()) {
        PyErr_Clear();
        return -1;
    }
    const auto n = static_cast<long>(dimensions);
    return value >= 0 ? (value < n ? value : -1) : (value >= -n ? value + n : -1);
}

/// Variant and ISA as text, which belongs to the Python objects, and the number of threads.
inline bool read_options(nb::handle variant, nb::handle threads, nb::handle isa, Options &options) {
    const auto text = [](nb::handle object, std::string_view &view) {
        if (!PyUnicode_Check(object.ptr()))
            return false;
        Py_ssize_t size = 0;
        const char *data = PyUnicode_AsUTF8AndSize(object.ptr(), &size);
        if (!data)
            throw nb::python_error();
        view = {data, static_cast<std::size_t>(size)};
        return true;
    };
    if (!threads.is_none()) {
        if (!PyLong_CheckExact(threads.ptr()))
            return false;
        const long count = PyLong_AsLong(threads.ptr());
        if (count < 1 || count > most_threads) {
            PyErr_Clear();
            return false;
        }
        options.threads = static_cast<int>(count);
    }
    // an empty name means "the best" to the C++ API: Python says None for that
    return text(variant, options.variant) &&
           (isa.is_none() || (text(isa, options.isa) && !options.isa.empty()));
}

template <class F> void run(std::size_t elements, const F &f) {
    if (elements < worth_releasing)
        return f();
    without_gil(f);
}

/// Calls f with a value of the element type; a word is a bfloat16 where `bfloats` says so. False
/// for other elements.
template <class F> bool with_element(const Buffer &x, bool bfloats, const F &f) {
    switch (x.element()) {
    case Element::float32:
        f(float{});
        return true;
    case Element::float64:
        f(double{});
        return true;
    case Element::float16:
        f(float16{});
        return true;
    case Element::word:
        if (bfloats)
            f(bfloat16{});
        return bfloats;
    default:
        return false;
    }
}

} // namespace fastsoftmax::python
