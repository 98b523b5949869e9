// What is compiled, what runs here, and by what defaults.
#include "dispatch/registry.hpp"
#include "dispatch/thread_count.hpp"
#include "fastsoftmax/fastsoftmax.hpp"
#include "module.hpp"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

namespace fastsoftmax::python {
namespace {

namespace nb = nanobind;

nb::list kernel_dicts() {
    nb::list all;
    for (const fastsoftmax::KernelInfo &k : fastsoftmax::kernels()) {
        nb::dict row;
        row["id"] = k.id;
        row["op"] = k.op;
        row["variant"] = k.variant;
        row["isa"] = k.isa;
        row["dtype"] = k.dtype;
        row["lanes"] = k.lanes;
        row["bound"] = k.bound;
        row["bound_kind"] = k.bound_kind;
        row["form"] = k.form;
        row["domain"] = k.domain;
        row["value_at_zero"] = k.value_at_zero;
        row["tail"] = k.tail;
        row["monotone"] = k.monotone;
        row["operations"] = k.operations;
        row["rescale"] = k.rescale;
        row["source"] = k.source;
        row["available"] = k.available;
        all.append(row);
    }
    return all;
}

} // namespace

void add_table(nb::module_ &module) {
    module.def("kernels", &kernel_dicts);
    module.def("variants", [](const std::string &op) { return variants(op); });
    module.def("isas", &isas);
    module.def("environment_problem", [] {
        return environment_problem().empty() ? threads_problem() : environment_problem();
    });
    module.def("default_isa", [](const std::string &op) {
        const Kernel *row = find_kernel(op, "exact", "float32");
        if (const auto names = variants_of(op); !row && !names.empty())
            row = find_kernel(op, names.front(), "int8");
        return std::string(row ? row->isa : "");
    });
    module.def("default_threads", &default_threads);
    module.attr("compiler") = compiler();
    module.attr("most_threads") = most_threads;
    module.attr("version") = version();
}

} // namespace fastsoftmax::python
