// scale, mask and sink from Python objects, broadcast to the logits by strides alone.
#pragma once
#include "buffer.hpp"

#include <optional>
#include <vector>

namespace fastsoftmax::python {

/// One operand against the shape that it is broadcast to.
class Broadcast {
  public:
    /// Strides of `from` in an array of shape `to`, 0 where it repeats itself; false if it doesn't
    /// fit.
    bool fit(const Buffer &from, std::span<const std::size_t> to) {
        if (from.dimensions() > to.size())
            return false;
        const std::size_t lead = to.size() - from.dimensions();
        shape_.assign(to.begin(), to.end());
        strides_.assign(to.size(), 0);
        for (std::size_t i = 0; i < from.dimensions(); ++i) {
            if (from.shape()[i] != 1 && from.shape()[i] != to[lead + i])
                return false;
            if (from.shape()[i] != 1)
                strides_[lead + i] = from.strides()[i];
        }
        return true;
    }
    template <class T> Array<T> array(const Buffer &from) const {
        return {from.data<T>(), shape_, strides_};
    }

  private:
    std::vector<std::size_t> shape_;
    std::vector<std::ptrdiff_t> strides_;
};

/// The three arguments as they came. `read` says whether they are of the well-formed kind.
class Adapting {
  public:
    bool read(const Buffer &x, std::size_t axis, nb::handle scale, nb::handle mask,
              nb::handle sink) {
        if (!PyFloat_CheckExact(scale.ptr()))
            return false;
        scale_ = PyFloat_AsDouble(scale.ptr());
        if (!(x.is_double() ? is_scale<double>(scale_) : is_scale<float>(scale_)))
            return false;
        const Element computed = x.is_double() ? Element::float64 : Element::float32;
        if (!mask.is_none()) {
            mask_.emplace(mask, false);
            if ((mask_->element() != Element::boolean && mask_->element() != computed) ||
                !mask_to_.fit(*mask_, x.shape()))
                return false;
        }
        if (!sink.is_none()) {
            std::vector<std::size_t> rows(x.shape().begin(), x.shape().end());
            rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(axis));
            sink_.emplace(sink, false);
            if (sink_->element() != computed || !sink_to_.fit(*sink_, rows))
                return false;
        }
        return true;
    }
    bool overlaps(const Buffer &y) const {
        return (mask_ && mask_->overlaps(y)) || (sink_ && sink_->overlaps(y));
    }
    template <class T> Adaptation<T> get() const {
        Adaptation<T> adaptation;
        adaptation.scale = scale_;
        if (mask_ && mask_->element() == Element::boolean)
            adaptation.keep = mask_to_.array<const bool>(*mask_);
        else if (mask_)
            adaptation.add = mask_to_.array<const T>(*mask_);
        if (sink_)
            adaptation.sink = sink_to_.array<const T>(*sink_);
        return adaptation;
    }

  private:
    double scale_ = 1;
    std::optional<Buffer> mask_, sink_;
    Broadcast mask_to_, sink_to_;
};

} // namespace fastsoftmax::python
