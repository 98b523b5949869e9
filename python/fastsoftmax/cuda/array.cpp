#include "array.hpp"
#include "common/sizes.hpp"

#include <algorithm>

namespace fastsoftmax::python {

std::string Array::dtype() const {
    const nb::dlpack::dtype type = array_.dtype();
    if (type.lanes != 1)
        return "";
    const std::string bits = std::to_string(type.bits);
    switch (static_cast<nb::dlpack::dtype_code>(type.code)) {
    case nb::dlpack::dtype_code::Float:
        return "float" + bits;
    case nb::dlpack::dtype_code::Bfloat:
        return "bfloat" + bits;
    case nb::dlpack::dtype_code::Int:
        return "int" + bits;
    case nb::dlpack::dtype_code::UInt:
        return "uint" + bits;
    case nb::dlpack::dtype_code::Bool:
        return "bool";
    default:
        return "";
    }
}

std::optional<cuda::Dtype> Array::floats() const {
    const std::string name = dtype();
    if (name == "float32")
        return cuda::Dtype::float32;
    if (name == "float64")
        return cuda::Dtype::float64;
    if (name == "float16")
        return cuda::Dtype::float16;
    if (name == "bfloat16")
        return cuda::Dtype::bfloat16;
    return std::nullopt;
}

std::pair<std::uintptr_t, std::uintptr_t> Array::reach() const {
    const auto start = reinterpret_cast<std::uintptr_t>(data());
    std::int64_t low = 0, high = 0;
    for (std::size_t i = 0; i < dimensions(); ++i) {
        if (extent(i) == 0)
            return {start, start};
        (stride(i) < 0 ? low : high) += stride(i) * (extent(i) - 1);
    }
    const auto size = static_cast<std::int64_t>(item());
    return {start + static_cast<std::uintptr_t>(low * size),
            start + static_cast<std::uintptr_t>((high + 1) * size)};
}

bool Array::overlaps(const Array &other) const {
    const auto [a, a_end] = reach();
    const auto [b, b_end] = other.reach();
    return a < b_end && b < a_end;
}

bool Array::same_layout(const Array &other) const {
    if (data() != other.data() || dimensions() != other.dimensions())
        return false;
    for (std::size_t i = 0; i < dimensions(); ++i)
        if (extent(i) > 1 && stride(i) != other.stride(i))
            return false;
    return true;
}

bool Array::distinct() const {
    std::vector<std::pair<std::int64_t, std::int64_t>> dims; // stride and extent
    for (std::size_t i = 0; i < dimensions(); ++i)
        if (extent(i) > 1)
            dims.emplace_back(std::abs(stride(i)), extent(i));
    std::ranges::sort(dims);
    std::int64_t reached = 0;
    for (const auto [step, count] : dims) {
        if (step <= reached)
            return false;
        reached += step * (count - 1);
    }
    return true;
}

std::int64_t Array::side_by_side(std::size_t first) const {
    std::int64_t count = 1;
    for (std::size_t i = dimensions(); i-- > first;) {
        if (extent(i) != 1 && stride(i) != count)
            return -1;
        count *= extent(i);
    }
    return count;
}

Rows::Rows(const Array &x, std::ptrdiff_t axis) : axis_(static_cast<std::size_t>(axis)) {
    // bytes, of the largest elements; an array that is broadcast may say it has more than memory
    std::size_t all = sizeof(double);
    for (std::size_t i = 0; i < x.dimensions(); ++i) {
        all = times(all, static_cast<std::size_t>(std::max<std::int64_t>(x.extent(i), 1)));
        shape_.push_back(x.extent(i));
        if (i != axis_)
            extents_.push_back(x.extent(i));
    }
    require(all <= most_bytes, "the logits say they have more elements than memory can have");
}

void Rows::add(const Array &operand, bool has_axis) {
    std::vector<std::int64_t> shape = has_axis ? shape_ : extents_;
    const std::size_t own = operand.dimensions();
    if (own > shape.size())
        throw std::invalid_argument("an operand has more dimensions than the logits");
    Operand added{std::vector<std::int64_t>(extents_.size(), 0), 0};
    const std::size_t lead = shape.size() - own;
    for (std::size_t i = 0; i < own; ++i) {
        const std::size_t to = lead + i;
        if (operand.extent(i) == 1)
            continue;
        if (operand.extent(i) != shape[to])
            throw std::invalid_argument("an operand can't be broadcast to the logits");
        if (has_axis && to == axis_)
            added.step = operand.stride(i);
        else
            added.outer[has_axis && to > axis_ ? to - 1 : to] = operand.stride(i);
    }
    operands_.push_back(std::move(added));
}

/// Whether dimension i + 1 goes on where i steps to, in every operand.
bool Rows::continues(std::size_t i) const {
    return std::ranges::all_of(operands_, [&](const Operand &operand) {
        return operand.outer[i] == operand.outer[i + 1] * extents_[i + 1];
    });
}

bool Rows::merge(int most) {
    for (std::size_t i = extents_.size(); i-- > 0;) {
        const bool single = extents_[i] == 1;
        if (!single && (i + 1 >= extents_.size() || !continues(i)))
            continue;
        if (!single)
            extents_[i + 1] *= extents_[i];
        extents_.erase(extents_.begin() + static_cast<std::ptrdiff_t>(i));
        for (Operand &operand : operands_)
            operand.outer.erase(operand.outer.begin() + static_cast<std::ptrdiff_t>(i));
    }
    return dims() <= most;
}

void check(int error, const std::string &what) {
    if (error)
        throw std::runtime_error(what + " failed: " + cuda::error_name(error) + ", " +
                                 cuda::error_text(error) +
                                 " (built for " FS_CUDA_ARCHITECTURES ")");
}

void require(bool condition, const char *what) {
    if (!condition)
        throw std::invalid_argument(what);
}

} // namespace fastsoftmax::python
