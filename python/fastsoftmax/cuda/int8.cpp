// The int8 operations: HCCS, and exp in a table. The axis is the last dimension, and elements of a
// row are neighbours.
#include "cuda/api/int8.hpp"
#include "array.hpp"
#include "module.hpp"

#include <nanobind/stl/string.h>

#include <array>

namespace fastsoftmax::python {
namespace {

/// Rows that share parameters: `each` of them, then the next set, `sets` in turn.
using Shared = std::array<std::int64_t, 2>;

cuda::Int8Arguments arguments_of(const Array &x, const Shared &shared, const Array *mask,
                                 const Array &y, std::uintptr_t stream) {
    require(x.dimensions() > 0 && x.dtype() == "int8", "logits aren't int8");
    require(y.dtype() == "uint8" || y.dtype() == "int16", "out is neither uint8 nor int16");
    require(!mask || mask->dtype() == "bool", "mask isn't of booleans");
    const std::size_t axis = x.dimensions() - 1;
    Rows rows(x, static_cast<std::ptrdiff_t>(axis));
    rows.add(x);
    rows.add(y);
    if (mask)
        rows.add(*mask);
    if (!rows.merge(cuda::max_outer))
        throw std::invalid_argument("x, mask and out have too many dimensions that can't be "
                                    "merged: make them contiguous");
    cuda::Int8Arguments arguments{};
    arguments.dims = rows.dims();
    arguments.n = x.extent(axis);
    for (int operand = 0; operand < 2 + (mask != nullptr); ++operand)
        require(arguments.n <= 1 || rows.step(operand) == 1, "elements of a row aren't neighbours");
    for (int i = 0; i < rows.dims(); ++i) {
        arguments.extent[i] = rows.extent(i);
        arguments.x_at.outer[i] = rows.stride(0, i);
        arguments.y_at.outer[i] = rows.stride(1, i);
        arguments.mask_at.outer[i] = mask ? rows.stride(2, i) : 0;
    }
    arguments.x_at.step = arguments.y_at.step = arguments.mask_at.step = 1;
    arguments.x = static_cast<const std::int8_t *>(x.data());
    arguments.y = y.data();
    arguments.mask = mask ? static_cast<const std::uint8_t *>(mask->data()) : nullptr;
    arguments.bytes = y.dtype() == "uint8";
    arguments.rows_per_group = shared[0];
    arguments.groups = shared[1];
    arguments.stream = reinterpret_cast<cuda::Stream>(stream);
    return arguments;
}

/// The parameters of all sets on the device, as many as there are; nullptr where one is passed.
template <class T> const T *sets_of(const Array *array, const Shared &shared, const char *dtype) {
    if (!array)
        return nullptr;
    constexpr std::int64_t each = sizeof(T);
    require(array->dtype() == dtype &&
                array->side_by_side(0) * static_cast<std::int64_t>(array->item()) ==
                    shared[1] * each,
            "there aren't parameters for each set");
    return static_cast<const T *>(array->data());
}

/// Parameters: `heads`, a set for each of `sets`, or B, S and Dmax for all rows.
void hccs(const Array &x, const Array *heads, int B, int S, int Dmax, std::int64_t each,
          std::int64_t sets, const std::string &mode, const Array *mask, const Array &y,
          std::uintptr_t stream) {
    const int number = cuda::hccs_mode(mode.c_str());
    require(number >= 0, "no such mode");
    const Shared shared{each, sets};
    const auto *all = sets_of<cuda::HccsHead>(heads, shared, "int32");
    const auto arguments = arguments_of(x, shared, mask, y, stream);
    launch(x.device(), "hccs/" + mode, [&] {
        return cuda::launch_hccs(arguments, static_cast<cuda::HccsMode>(number), {B, S, Dmax}, all);
    });
}

/// Parameters: `factors`, those of a scale for each of `sets`, or one scale for all rows.
void softmax(const Array &x, const Array *factors, double scale, std::int64_t each,
             std::int64_t sets, const std::string &table, const Array *mask, const Array &y,
             std::uintptr_t stream) {
    const int number = cuda::exp_table(table.c_str());
    require(number >= 0, "no such table");
    const Shared shared{each, sets};
    const auto *all = sets_of<cuda::ExpFactors>(factors, shared, "int16");
    const auto arguments = arguments_of(x, shared, mask, y, stream);
    const cuda::ExpFactors one = all ? cuda::ExpFactors{} : cuda::exp_factors(scale);
    launch(x.device(), "int8/" + table, [&] {
        return cuda::launch_exp_table(arguments, static_cast<cuda::ExpTable>(number), one, all);
    });
}

/// The factors of tables for scale * x, as int16 numbers one after another.
nb::bytes exp_factors(const nb::sequence &scales) {
    std::vector<cuda::ExpFactors> all;
    for (const nb::handle scale : scales)
        all.push_back(cuda::exp_factors(nb::cast<double>(scale)));
    return nb::bytes(reinterpret_cast<const char *>(all.data()), all.size() * sizeof all[0]);
}

} // namespace

void add_int8(nb::module_ &module) {
    module.def("hccs", &hccs, nb::arg(), nb::arg().none(), nb::arg(), nb::arg(), nb::arg(),
               nb::arg(), nb::arg(), nb::arg(), nb::arg().none(), nb::arg(), nb::arg());
    module.def("int8_softmax", &softmax, nb::arg(), nb::arg().none(), nb::arg(), nb::arg(),
               nb::arg(), nb::arg(), nb::arg().none(), nb::arg(), nb::arg());
    module.def("exp_factors", &exp_factors);
}

} // namespace fastsoftmax::python
