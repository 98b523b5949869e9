// The registry as users see it: plain values, no function pointers.
#include "dispatch/registry.hpp"
#include "fastsoftmax/fastsoftmax.hpp"

namespace fastsoftmax {

std::vector<KernelInfo> kernels() {
    std::vector<KernelInfo> all;
    for (const Isa &isa : all_isas())
        for (const Kernel &kernel : isa.kernels) {
            const VariantInfo &v = kernel.variant;
            all.push_back({std::string(kernel.op) + "/" + v.name + "/" + kernel.isa, kernel.op,
                           v.name, kernel.isa, kernel.dtype, kernel.lanes, kernel.bound,
                           kernel.bound_kind, v.form, v.domain, v.value_at_zero, v.tail, v.monotone,
                           v.operations, v.rescale, v.source, isa.available});
        }
    return all;
}

std::vector<std::string> variants(std::string_view op) { return variants_of(op); }

std::vector<std::string> isas(bool all) {
    std::vector<std::string> names;
    for (const Isa &isa : all_isas())
        if (all || isa.available)
            names.insert(names.begin(), isa.name);
    return names;
}

const char *version() { return FS_VERSION; }
const char *compiler() { return FS_COMPILER; }

} // namespace fastsoftmax
