// Arrays as DLPack hands them over, and how operands of one shape share their rows.
#pragma once
#include "../without_gil.hpp"
#include "cuda/api/rows.hpp"
#include "cuda/device/device.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace fastsoftmax::python {

namespace nb = nanobind;

/// An array of some library, kept alive. Strides count elements.
class Array {
  public:
    explicit Array(nb::ndarray<> array) : array_(std::move(array)) {}

    std::size_t dimensions() const { return array_.ndim(); }
    std::int64_t extent(std::size_t i) const { return static_cast<std::int64_t>(array_.shape(i)); }
    std::int64_t stride(std::size_t i) const { return array_.stride(i); }
    void *data() const { return array_.data(); }
    int device_type() const { return array_.device_type(); }
    int device() const { return array_.device_id(); }
    std::size_t item() const { return array_.itemsize(); }

    /// Name of the type of the elements as NumPy and the array API say it, or "" if it is unusual.
    std::string dtype() const;
    /// The type, if it is one of floats.
    std::optional<cuda::Dtype> floats() const;
    bool overlaps(const Array &other) const;
    bool same_layout(const Array &other) const;
    /// Whether no element lies where another does: a result must be so.
    bool distinct() const;
    /// How many elements the dimensions from `first` on have, if they lie side by side in C order;
    /// else -1.
    std::int64_t side_by_side(std::size_t first) const;

  private:
    std::pair<std::uintptr_t, std::uintptr_t> reach() const;
    nb::ndarray<> array_;
};

/// The dimensions of operands of one shape, but for one axis, as few as their strides allow.
class Rows {
  public:
    /// The shape of x without `axis` (-1: all of it). Operands are numbered as they are added.
    Rows(const Array &x, std::ptrdiff_t axis);
    /// An operand that is broadcast to the shape, or to the shape without `axis`.
    void add(const Array &operand, bool has_axis = true);
    /// Merges what can be; false if more than `most` dimensions are left.
    bool merge(int most);

    int dims() const { return static_cast<int>(extents_.size()); }
    std::int64_t extent(int i) const { return extents_[static_cast<std::size_t>(i)]; }
    std::int64_t stride(int operand, int i) const {
        return operands_[static_cast<std::size_t>(operand)].outer[static_cast<std::size_t>(i)];
    }
    std::int64_t step(int operand) const {
        return operands_[static_cast<std::size_t>(operand)].step;
    }

  private:
    struct Operand {
        std::vector<std::int64_t> outer;
        std::int64_t step;
    };
    bool continues(std::size_t i) const;

    std::vector<std::int64_t> shape_, extents_;
    std::size_t axis_;
    std::vector<Operand> operands_;
};

/// Raises RuntimeError, with what failed and why, unless `error` is 0.
void check(int error, const std::string &what);
/// Raises ValueError unless `condition` holds: Python has checked it in words.
void require(bool condition, const char *what);

/// Calls a launcher on a device, without the GIL, and raises its error.
template <class F> void launch(int device, const std::string &what, const F &launcher) {
    int error = 0;
    without_gil([&] {
        const cuda::OnDevice here(device);
        error = here.error() ? here.error() : launcher();
    });
    check(error, "launching " + what);
}

} // namespace fastsoftmax::python
