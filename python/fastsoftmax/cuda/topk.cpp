// The largest probabilities of rows of floats, and where they are.
#include "cuda/api/topk.hpp"
#include "array.hpp"
#include "module.hpp"

namespace fastsoftmax::python {
namespace {

/// The type that a mask of numbers has.
cuda::Dtype computed(const Array &x) {
    return x.floats() == cuda::Dtype::float64 ? cuda::Dtype::float64 : cuda::Dtype::float32;
}

/// p and index have a row of k for each row of x, side by side.
void topk(const Array &x, int k, int axis, double scale, const Array *mask, double masked_at_most,
          const Array &p, const Array &index, std::uintptr_t stream) {
    require(axis >= 0 && static_cast<std::size_t>(axis) < x.dimensions(), "no such axis");
    require(x.floats().has_value() && p.floats() == x.floats() && index.dtype() == "int64",
            "logits and results have other dtypes");
    Rows rows(x, axis);
    rows.add(x);
    cuda::TopkArguments arguments{};
    if (mask) {
        arguments.mask_kind = mask->dtype() == "bool" ? cuda::Mask::keep : cuda::Mask::add;
        require(arguments.mask_kind == cuda::Mask::keep || mask->floats() == computed(x),
                "mask has another dtype");
        arguments.mask = mask->data();
        rows.add(*mask);
    }
    if (!rows.merge(cuda::max_outer))
        throw std::invalid_argument("too many dimensions that can't be merged: make them "
                                    "contiguous");
    arguments.dtype = *x.floats();
    arguments.dims = rows.dims();
    std::int64_t results = k;
    for (int i = 0; i < rows.dims(); ++i) {
        arguments.extent[i] = rows.extent(i);
        arguments.x_at.outer[i] = rows.stride(0, i);
        if (mask)
            arguments.mask_at.outer[i] = rows.stride(1, i);
        results *= rows.extent(i);
    }
    arguments.n = x.extent(static_cast<std::size_t>(axis));
    arguments.x_at.step = rows.step(0);
    if (mask)
        arguments.mask_at.step = rows.step(1);
    arguments.scale = scale;
    arguments.masked_at_most = masked_at_most;
    require(k >= 1 && k <= arguments.n && k <= cuda::topk_most, "k doesn't fit");
    require(p.side_by_side(0) == results && index.side_by_side(0) == results,
            "there aren't k results for each row, side by side");
    arguments.x = x.data();
    arguments.k = k;
    arguments.p = p.data();
    arguments.index = static_cast<std::int64_t *>(index.data());
    arguments.stream = reinterpret_cast<cuda::Stream>(stream);
    launch(x.device(), "topk/exact", [&] { return cuda::launch_topk(arguments); });
}

} // namespace

void add_topk(nb::module_ &module) {
    module.def("topk", &topk, nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg().none(),
               nb::arg(), nb::arg(), nb::arg(), nb::arg());
    module.attr("topk_most") = cuda::topk_most;
}

} // namespace fastsoftmax::python
