// Operations on rows of floats. Python has checked and worded everything; what a launcher relies on
// is checked again, so that nothing else can be launched.
#include "array.hpp"
#include "module.hpp"

#include <nanobind/stl/string.h>

namespace fastsoftmax::python {
namespace {

cuda::RowsOperation operation_of(const std::string &name) {
    if (name == "online")
        return cuda::RowsOperation::online;
    if (name == "log_softmax")
        return cuda::RowsOperation::log_softmax;
    if (name == "normalizer")
        return cuda::RowsOperation::normalizer;
    if (name == "logsumexp")
        return cuda::RowsOperation::logsumexp;
    throw std::invalid_argument("no operation is called " + name);
}

/// A result with one value for each row, in C order.
void *values_of_rows(const Array *array, const Rows &rows, bool wide) {
    if (!array)
        return nullptr;
    std::int64_t count = 1;
    for (int i = 0; i < rows.dims(); ++i)
        count *= rows.extent(i);
    require(array->side_by_side(0) == count, "there isn't a value for each row, side by side");
    require(array->floats() == (wide ? cuda::Dtype::float64 : cuda::Dtype::float32),
            "values have another dtype");
    return array->data();
}

/// Everything that a launcher takes but the stream and the workspace.
class Job {
  public:
    Job(const std::string &operation, const Array &x, const std::string &variant, int axis,
        double scale, const Array *mask, double masked_at_most, const Array *sink, const Array *y,
        const Array *m, const Array *s)
        : rows_(x, axis) {
        arguments_.operation = operation_of(operation);
        arguments_.variant = cuda::rows_variant(variant.c_str());
        require(arguments_.variant >= 0, "no such variant");
        require(axis >= 0 && static_cast<std::size_t>(axis) < x.dimensions(), "no such axis");
        require(x.floats().has_value(), "logits aren't floats");
        arguments_.dtype = *x.floats();
        arguments_.n = x.extent(static_cast<std::size_t>(axis));
        arguments_.scale = scale;
        arguments_.masked_at_most = masked_at_most;
        add(x, true, arguments_.x, arguments_.x_at);
        if (y) {
            require(y->floats() == arguments_.dtype, "out has another dtype");
            add(*y, true, arguments_.y, arguments_.y_at);
        }
        add_mask(mask);
        if (sink) {
            require(sink->floats() == computed(), "sink has another dtype");
            add(*sink, false, arguments_.sink, arguments_.sink_at);
        }
        finish();
        arguments_.m = values_of_rows(m, rows_, wide());
        arguments_.s = values_of_rows(s, rows_, wide());
        const bool maps = arguments_.operation == cuda::RowsOperation::online ||
                          arguments_.operation == cuda::RowsOperation::log_softmax;
        const bool both = arguments_.operation == cuda::RowsOperation::normalizer;
        require(neighbours(arguments_.x_at) && (!y || neighbours(arguments_.y_at)),
                "elements of a row aren't neighbours");
        require((y != nullptr) == maps && (m == nullptr) == maps && (s != nullptr) == both,
                "these aren't the results of that operation");
    }
    cuda::RowsArguments &arguments() { return arguments_; }

  private:
    bool wide() const { return arguments_.dtype == cuda::Dtype::float64; }
    cuda::Dtype computed() const { return wide() ? cuda::Dtype::float64 : cuda::Dtype::float32; }

    bool neighbours(const cuda::Strided &at) const { return arguments_.n <= 1 || at.step == 1; }

    template <class Pointer>
    void add(const Array &array, bool has_axis, Pointer &pointer, cuda::Strided &at) {
        rows_.add(array, has_axis);
        pointer = array.data();
        places_.push_back(&at);
    }

    void add_mask(const Array *mask) {
        arguments_.mask_kind = !mask                     ? cuda::Mask::none
                               : mask->dtype() == "bool" ? cuda::Mask::keep
                                                         : cuda::Mask::add;
        if (!mask)
            return;
        require(arguments_.mask_kind == cuda::Mask::keep || mask->floats() == computed(),
                "mask has another dtype");
        add(*mask, true, arguments_.mask, arguments_.mask_at);
    }

    void finish() {
        if (!rows_.merge(cuda::max_outer))
            throw std::invalid_argument("more dimensions than " + std::to_string(cuda::max_outer) +
                                        " that can't be merged: make them contiguous");
        arguments_.dims = rows_.dims();
        for (int i = 0; i < rows_.dims(); ++i) {
            arguments_.extent[i] = rows_.extent(i);
            for (std::size_t k = 0; k < places_.size(); ++k)
                places_[k]->outer[i] = rows_.stride(static_cast<int>(k), i);
        }
        for (std::size_t k = 0; k < places_.size(); ++k)
            places_[k]->step = rows_.step(static_cast<int>(k));
    }

    Rows rows_;
    cuda::RowsArguments arguments_{};
    std::vector<cuda::Strided *> places_;
};

/// `scratch` gives so many bytes on the device; it is called only where some are needed.
void rows(const std::string &operation, const Array &x, const std::string &variant, int axis,
          double scale, const Array *mask, double masked_at_most, const Array *sink, const Array *y,
          const Array *m, const Array *s, std::uintptr_t stream, const nb::callable &scratch) {
    Job job(operation, x, variant, axis, scale, mask, masked_at_most, sink, y, m, s);
    cuda::RowsArguments &arguments = job.arguments();
    arguments.stream = reinterpret_cast<cuda::Stream>(stream);
    nb::object held;
    if (const std::size_t bytes = cuda::rows_workspace(arguments)) {
        held = scratch(bytes);
        arguments.workspace = nb::cast<const Array &>(held).data();
    }
    launch(x.device(), operation + "/" + variant, [&] { return cuda::launch_rows(arguments); });
}

} // namespace

void add_rows(nb::module_ &module) {
    module.def("rows", &rows, nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(),
               nb::arg().none(), nb::arg(), nb::arg().none(), nb::arg().none(), nb::arg().none(),
               nb::arg().none(), nb::arg(), nb::arg());
}

} // namespace fastsoftmax::python
