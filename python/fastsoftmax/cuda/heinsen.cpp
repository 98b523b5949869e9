// Heinsen attention: states [heads][size], tokens [heads][n][width], all of one dtype and without
// gaps.
#include "cuda/api/heinsen.hpp"
#include "array.hpp"
#include "module.hpp"

namespace fastsoftmax::python {
namespace {

/// Adds k and v to the states, then answers q in y, token after token; each pair may be left out.
/// Logarithms: v are such; log_output: y, too.
void heinsen(const Array &from, const Array &to, const Array *q, const Array *k, const Array *v,
             int d_k, int d_v, bool log_values, bool log_output, const Array *y,
             std::uintptr_t stream) {
    require(from.dimensions() == 2 && (q || k) && !q == !y && !k == !v, "tokens are missing");
    cuda::HeinsenArguments arguments{};
    arguments.heads = from.extent(0);
    arguments.d_k = d_k;
    arguments.d_v = d_v;
    arguments.n = (q ? q : k)->extent(1);
    const auto memory = [&](const Array *array, std::int64_t width) -> void * {
        if (!array)
            return nullptr;
        require(array->floats() == from.floats() && array->dimensions() == 3 &&
                    array->extent(0) == arguments.heads && array->extent(1) == arguments.n &&
                    array->extent(2) == width && array->side_by_side(0) >= 0,
                "tokens have another dtype or shape, or gaps");
        return array->data();
    };
    require(from.floats() == cuda::Dtype::float32 || from.floats() == cuda::Dtype::float64,
            "states are float32 or float64");
    require(from.extent(1) == cuda::heinsen_device_size(d_k, d_v, log_values),
            "states have another size");
    require(log_values || !log_output, "log_output is for states of log values");
    require(to.floats() == from.floats() && from.side_by_side(0) >= 0 &&
                from.side_by_side(0) == to.side_by_side(0),
            "states have another dtype or size, or gaps");
    arguments.dtype = *from.floats();
    arguments.from = from.data();
    arguments.to = to.data();
    arguments.q = memory(q, d_k);
    arguments.k = memory(k, d_k);
    arguments.v = memory(v, d_v);
    arguments.y = memory(y, d_v);
    arguments.log_values = log_values;
    arguments.log_output = log_output;
    arguments.stream = reinterpret_cast<cuda::Stream>(stream);
    launch(from.device(), log_values ? "heinsen_log/exact" : "heinsen/exact",
           [&] { return cuda::launch_heinsen(arguments); });
}

void start(const Array &states, int d_k, int d_v, bool zeros, bool log_values,
           std::uintptr_t stream) {
    require(states.dimensions() == 2 && states.side_by_side(0) >= 0 && states.floats().has_value(),
            "states have gaps or are no floats");
    require(states.extent(1) == cuda::heinsen_device_size(d_k, d_v, log_values),
            "states have another size");
    launch(states.device(), "heinsen_start", [&] {
        return cuda::launch_heinsen_start(*states.floats(), states.data(), states.extent(0), d_k,
                                          d_v, zeros, log_values,
                                          reinterpret_cast<cuda::Stream>(stream));
    });
}

} // namespace

void add_heinsen(nb::module_ &module) {
    module.def("heinsen", &heinsen, nb::arg(), nb::arg(), nb::arg().none(), nb::arg().none(),
               nb::arg().none(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg().none(),
               nb::arg());
    module.def("heinsen_start", &start);
    module.def("heinsen_size", &cuda::heinsen_device_size);
}

} // namespace fastsoftmax::python
