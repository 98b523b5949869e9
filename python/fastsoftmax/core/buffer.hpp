// What Python hands over, as the C++ API takes it: the memory of ndarrays, and new ones for
// results. By NumPy's C API, as the buffer protocol takes a tenth of a microsecond an array.
#pragma once
#include "api/jobs/lie_apart.hpp"
#include "common/sizes.hpp"
#include "fastsoftmax/fastsoftmax.hpp"

#include <nanobind/nanobind.h>

// one module, several units: _core.cpp fills the table of functions, the others refer to it
#define PY_ARRAY_UNIQUE_SYMBOL fastsoftmax_numpy
#ifndef FS_IMPORT_NUMPY
#define NO_IMPORT_ARRAY
#endif
#include <numpy/arrayobject.h>

#include <algorithm>
#include <cstdint>

namespace fastsoftmax::python {

namespace nb = nanobind;

/// NumPy's numbers of the types that we know.
enum class Element : int {
    none = NPY_NOTYPE,
    float32 = NPY_FLOAT32,
    float64 = NPY_FLOAT64,
    float16 = NPY_FLOAT16,
    word = NPY_UINT16,
    boolean = NPY_BOOL,
    int8 = NPY_INT8,
    uint8 = NPY_UINT8,
    int16 = NPY_INT16,
    int32 = NPY_INT32,
    int64 = NPY_INT64
};

inline PyArrayObject *array_of(nb::handle object) {
    return reinterpret_cast<PyArrayObject *>(object.ptr());
}

/// The memory of an exact ndarray of native elements. It doesn't hold the array: the caller does.
class Buffer {
  public:
    Buffer(nb::handle object, bool writable) {
        if (!PyArray_CheckExact(object.ptr()))
            return;
        PyArrayObject *const array = array_of(object);
        // first, as it may warn: that runs Python, which may give the array another shape
        if (writable && PyArray_FailUnlessWriteable(array, "array") != 0) {
            PyErr_Clear();
            return;
        }
        const int dimensions = PyArray_NDIM(array);
        if (dimensions > most_dimensions || !PyArray_ISNOTSWAPPED(array))
            return;
        data_ = PyArray_DATA(array);
        dimensions_ = static_cast<std::size_t>(dimensions);
        item_ = PyArray_ITEMSIZE(array);
        element_ = static_cast<Element>(PyArray_TYPE(array));
        packed_ = PyArray_IS_C_CONTIGUOUS(array);
        // copied, as another thread may give the array a new shape while the GIL is released
        std::ptrdiff_t stride = item_;
        for (std::size_t i = dimensions_; i-- > 0;) {
            shape_[i] = static_cast<std::size_t>(PyArray_DIMS(array)[i]);
            // where an extent is 1 NumPy may leave any stride
            strides_[i] = packed_ || shape_[i] == 1 ? stride : PyArray_STRIDES(array)[i];
            stride *= PyArray_DIMS(array)[i];
            elements_ = times(elements_, shape_[i]);
        }
    }

    Buffer(const Buffer &) = delete; // shape() and strides() point into it
    Buffer &operator=(const Buffer &) = delete;

    Element element() const { return element_; }
    bool is_float() const { return element_ == Element::float32 || element_ == Element::float64; }
    bool is_double() const { return element_ == Element::float64; }
    std::size_t dimensions() const { return dimensions_; }
    std::size_t elements() const { return elements_; }
    std::span<const std::size_t> shape() const { return {shape_, dimensions_}; }
    std::span<const std::ptrdiff_t> strides() const { return {strides_, dimensions_}; }
    template <class T> Array<T> array() const {
        return {static_cast<T *>(data_), shape(), strides()};
    }
    template <class T> T *data() const { return static_cast<T *>(data_); }

    /// Whether elements lie in C order without gaps.
    bool packed() const { return packed_; }
    /// Whether no element lies where another does, as far as strides tell at a glance.
    bool apart() const {
        return packed_ || lie_apart(shape(), strides(), static_cast<std::size_t>(item_));
    }
    /// Whether T may be read and written where the elements are.
    template <class T> bool aligned() const {
        const auto misplaced = [](auto place) {
            return place % static_cast<decltype(place)>(alignof(T)) != 0;
        };
        return elements_ == 0 || (!misplaced(reinterpret_cast<std::uintptr_t>(data_)) &&
                                  std::ranges::none_of(strides(), misplaced));
    }
    bool same_layout(const Buffer &other) const {
        return data_ == other.data_ && std::ranges::equal(strides(), other.strides());
    }
    bool overlaps(const Buffer &other) const {
        const auto [a, a_end] = extent();
        const auto [b, b_end] = other.extent();
        return a < b_end && b < a_end;
    }

  private:
    std::pair<std::uintptr_t, std::uintptr_t> extent() const {
        std::uintptr_t low = reinterpret_cast<std::uintptr_t>(data_), high = low;
        if (elements_ == 0)
            return {low, low};
        for (std::size_t i = 0; i < dimensions_; ++i) {
            // wraps to the right address
            (strides_[i] < 0 ? low : high) +=
                static_cast<std::uintptr_t>(strides_[i]) * (shape_[i] - 1);
        }
        return {low, high + static_cast<std::uintptr_t>(item_)};
    }

    static constexpr int most_dimensions = 64; // NumPy 2 has no more

    void *data_ = nullptr;
    std::size_t dimensions_ = 0, elements_ = 1;
    std::ptrdiff_t item_ = 0;
    Element element_ = Element::none;
    bool packed_ = false;
    std::size_t shape_[most_dimensions];
    std::ptrdiff_t strides_[most_dimensions];
};

inline nb::object stolen(PyObject *array) {
    if (!array)
        throw nb::python_error();
    return nb::steal(array);
}

/// A new array of the given shape.
inline nb::object new_array(std::span<const std::size_t> shape, Element element) {
    static_assert(sizeof(npy_intp) == sizeof(std::size_t)); // and extents are never negative
    return stolen(PyArray_SimpleNew(static_cast<int>(shape.size()),
                                    reinterpret_cast<const npy_intp *>(shape.data()),
                                    static_cast<int>(element)));
}

/// A new array with the shape of an ndarray, its order of axes, and elements of the type given, or
/// its own.
inline nb::object new_like(nb::handle array, Element element = Element::none) {
    PyArray_Descr *const type =
        element == Element::none ? nullptr : PyArray_DescrFromType(static_cast<int>(element));
    return stolen(PyArray_NewLikeArray(array_of(array), NPY_KEEPORDER, type, 0));
}

} // namespace fastsoftmax::python
