// What Python hands over, as the C++ API takes it: buffers of ndarrays.
#pragma once
#include "fastsoftmax/fastsoftmax.hpp"

#include <nanobind/nanobind.h>

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace fastsoftmax::python {

namespace nb = nanobind;

/// Filled when the module is imported, never freed: its types outlive us.
struct Numpy {
    nb::object ndarray, empty, empty_like, float32, float64, int64;
    nb::object int16, uint8, int16_dtype, uint8_dtype; // types of numbers, and their dtypes
};
extern Numpy *numpy;

enum class Element {
    none,
    float32,
    float64,
    float16,
    word,
    boolean,
    int8,
    uint8,
    int16,
    int32,
    int64
};

/// A buffer of an exact ndarray of native elements that we know, given back at the end.
class Buffer {
  public:
    Buffer(nb::handle object, bool writable) {
        if (reinterpret_cast<PyObject *>(Py_TYPE(object.ptr())) != numpy->ndarray.ptr())
            return;
        if (PyObject_GetBuffer(object.ptr(), &view_, writable ? PyBUF_RECORDS : PyBUF_RECORDS_RO) !=
            0) {
            PyErr_Clear();
            return;
        }
        held_ = true;
        // NumPy puts "=" before the type of elements that may lie at odd addresses
        std::string_view format = view_.format ? view_.format : "";
        if (format.starts_with('='))
            format.remove_prefix(1);
        element_ = format == "f"   ? Element::float32
                   : format == "d" ? Element::float64
                   : format == "e" ? Element::float16
                   : format == "H" ? Element::word
                   : format == "?" ? Element::boolean
                   : format == "b" ? Element::int8
                   : format == "B" ? Element::uint8
                   : format == "h" ? Element::int16
                   : format == "i" ? Element::int32
                   : format == "l" ? Element::int64
                                   : Element::none;
    }
    ~Buffer() {
        if (held_)
            PyBuffer_Release(&view_);
    }
    Buffer(const Buffer &) = delete;
    Buffer &operator=(const Buffer &) = delete;

    Element element() const { return element_; }
    bool is_float() const { return element_ == Element::float32 || element_ == Element::float64; }
    bool is_double() const { return element_ == Element::float64; }
    std::size_t dimensions() const { return static_cast<std::size_t>(view_.ndim); }
    std::size_t elements() const {
        return static_cast<std::size_t>(view_.len) / static_cast<std::size_t>(view_.itemsize);
    }
    /// Py_ssize_t is ptrdiff_t here, and extents are never negative.
    std::span<const std::size_t> shape() const {
        return {reinterpret_cast<const std::size_t *>(view_.shape), dimensions()};
    }
    std::span<const std::ptrdiff_t> strides() const { return {view_.strides, dimensions()}; }
    template <class T> Array<T> array() const {
        return {static_cast<T *>(view_.buf), shape(), strides()};
    }
    template <class T> T *data() const { return static_cast<T *>(view_.buf); }

    /// Whether elements lie in C order without gaps.
    bool packed() const { return PyBuffer_IsContiguous(&view_, 'C') != 0; }
    bool same_layout(const Buffer &other) const {
        return view_.buf == other.view_.buf && std::ranges::equal(strides(), other.strides());
    }
    bool overlaps(const Buffer &other) const {
        const auto [a, a_end] = extent();
        const auto [b, b_end] = other.extent();
        return a < b_end && b < a_end;
    }

  private:
    std::pair<std::uintptr_t, std::uintptr_t> extent() const {
        std::uintptr_t low = reinterpret_cast<std::uintptr_t>(view_.buf), high = low;
        if (view_.len == 0)
            return {low, low};
        for (std::size_t i = 0; i < dimensions(); ++i) {
            const auto reach = static_cast<std::uintptr_t>(view_.strides[i] * (view_.shape[i] - 1));
            (view_.strides[i] < 0 ? low : high) += reach; // wraps to the right address
        }
        return {low, high + static_cast<std::uintptr_t>(view_.itemsize)};
    }

    Py_buffer view_{};
    bool held_ = false;
    Element element_ = Element::none;
};

} // namespace fastsoftmax::python
