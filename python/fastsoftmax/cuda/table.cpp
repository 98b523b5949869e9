// Arrays as Python sees them, what was compiled, and what runs here.
#include "array.hpp"
#include "cuda/api/heinsen.hpp"
#include "cuda/api/int8.hpp"
#include "cuda/api/scan.hpp"
#include "cuda/api/topk.hpp"
#include "module.hpp"

#include <nanobind/stl/string.h>

namespace fastsoftmax::python {
namespace {

template <class F> nb::tuple each_dimension(const Array &array, const F &f) {
    nb::list values;
    for (std::size_t i = 0; i < array.dimensions(); ++i)
        values.append(f(i));
    return nb::tuple(values);
}

void add_kernels(nb::list &all, cuda::Kernels kernels) {
    for (const cuda::Kernel &kernel : kernels) {
        const VariantInfo &variant = kernel.variant;
        nb::dict row;
        row["id"] = std::string(kernel.op) + "/" + variant.name + "/" FS_CUDA_ISA;
        row["op"] = kernel.op;
        row["variant"] = variant.name;
        row["isa"] = FS_CUDA_ISA;
        row["dtype"] = kernel.dtype;
        row["lanes"] = 32; // of a warp
        row["bound"] = kernel.bound;
        row["bound_kind"] = kernel.bound_kind;
        row["form"] = variant.form;
        row["domain"] = variant.domain;
        row["value_at_zero"] = variant.value_at_zero;
        row["tail"] = variant.tail;
        row["monotone"] = variant.monotone;
        row["operations"] = variant.operations;
        row["rescale"] = variant.rescale;
        row["source"] = variant.source;
        all.append(row);
    }
}

nb::list kernel_dicts() {
    nb::list all;
    for (const cuda::Kernels kernels :
         {cuda::rows_kernels(), cuda::scan_kernels(), cuda::topk_kernels(), cuda::hccs_kernels(),
          cuda::exp_table_kernels(), cuda::heinsen_kernels()})
        add_kernels(all, kernels);
    return all;
}

std::string described(int error) {
    return error ? std::string(cuda::error_name(error)) + ", " + cuda::error_text(error) : "";
}

/// Name and compute capability of each device, and why there is none.
nb::tuple devices() {
    int count = 0;
    const int error = cuda::count_devices(count);
    nb::list found;
    for (int i = 0; i < count; ++i) {
        cuda::DeviceFacts facts;
        check(cuda::facts_of_device(i, facts), "asking for a CUDA device");
        found.append(nb::make_tuple(nb::str(facts.name), nb::make_tuple(facts.major, facts.minor)));
    }
    return nb::make_tuple(found, described(error));
}

} // namespace

void add_array(nb::module_ &module) {
    nb::class_<Array>(module, "Array")
        .def(nb::init<nb::ndarray<>>())
        .def_prop_ro("dtype", &Array::dtype)
        .def_prop_ro("device_type", &Array::device_type)
        .def_prop_ro("device", &Array::device)
        .def_prop_ro("distinct", &Array::distinct)
        .def_prop_ro("contiguous", [](const Array &array) { return array.side_by_side(0) >= 0; })
        .def_prop_ro("columns", [](const Array &array) { return array.side_by_side(1) >= 0; })
        .def_prop_ro("shape",
                     [](const Array &array) {
                         return each_dimension(array, [&](auto i) { return array.extent(i); });
                     })
        .def_prop_ro("strides",
                     [](const Array &array) {
                         return each_dimension(array, [&](auto i) { return array.stride(i); });
                     })
        .def("overlaps", &Array::overlaps)
        .def("same_layout", &Array::same_layout);
    module.def("kernels", &kernel_dicts);
    module.def("devices", &devices);
    module.attr("isa") = FS_CUDA_ISA;
    module.attr("architectures") = FS_CUDA_ARCHITECTURES;
}

} // namespace fastsoftmax::python
