#include "dispatch/registry.hpp"
#include "dispatch/cpu_features.hpp"

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <stdexcept>
#include <unordered_map>

// isas.def is written by CMake from the fs_add_isa() lines: FS_ISA_ENTRY(name, "features")
#define FS_ISA_ENTRY(name, features)                                                               \
    namespace fastsoftmax::name {                                                                  \
    extern const KernelTable table, state_table;                                                   \
    }
#include "isas.def"
#undef FS_ISA_ENTRY

namespace fastsoftmax {
namespace {

// Nothing here is ever destroyed: at the end of the process other threads may be inside a call, and
// functions registered with atexit may make one.

/// The kernels of an ISA's units, joined; never freed, since they are handed out.
std::span<const Kernel> joined(std::initializer_list<const KernelTable *> tables) {
    static auto &all = *new std::deque<std::vector<Kernel>>;
    std::vector<Kernel> &kernels = all.emplace_back();
    for (const KernelTable *table : tables)
        kernels.insert(kernels.end(), table->kernels, table->kernels + table->count);
    return kernels;
}

std::vector<Isa> collect() {
    std::vector<Isa> isas;
#define FS_ISA_ENTRY(name, features)                                                               \
    isas.push_back({#name, cpu_has_all(features), joined({&name::table, &name::state_table})});
#include "isas.def"
#undef FS_ISA_ENTRY
    return isas;
}

const std::string &preferred() {
    static const auto &name = *new std::string([] {
        const char *value = std::getenv("FASTSOFTMAX_ISA");
        return value ? value : "";
    }());
    return name;
}

std::string list(const std::vector<std::string> &names) {
    std::string text;
    for (const std::string &name : names)
        text += (text.empty() ? "" : ", ") + name;
    return text.empty() ? "none" : text;
}

std::vector<std::string> runnable(std::string_view op = {}) {
    std::vector<std::string> names;
    for (const Isa &isa : all_isas())
        if (isa.available &&
            (op.empty() || std::ranges::any_of(isa.kernels, [op](const Kernel &kernel) {
                 return kernel.op == op;
             })))
            names.emplace_back(isa.name);
    return names;
}

const Kernel *find_in(const Isa &isa, std::string_view op, std::string_view variant,
                      std::string_view dtype) {
    for (const Kernel &kernel : isa.kernels)
        if (kernel.op == op && kernel.variant.name == variant && kernel.dtype == dtype)
            return &kernel;
    return nullptr;
}

std::string key(std::string_view op, std::string_view variant, std::string_view dtype) {
    std::string text;
    text.reserve(op.size() + variant.size() + dtype.size() + 2);
    return text.append(op).append("/").append(variant).append("/").append(dtype);
}

/// The choice where no ISA is named, made once for every operation, variant and dtype.
const std::unordered_map<std::string, const Kernel *> &defaults() {
    static const auto &chosen = *new auto([] {
        std::unordered_map<std::string, const Kernel *> map;
        const auto add = [&map](const Isa &isa) {
            for (const Kernel &kernel : isa.kernels)
                map[key(kernel.op, kernel.variant.name, kernel.dtype)] = &kernel;
        };
        for (const Isa &isa : all_isas())
            if (isa.available)
                add(isa);
        for (const Isa &isa : all_isas())
            if (isa.available && isa.name == preferred())
                add(isa);
        return map;
    }());
    return chosen;
}

} // namespace

std::span<const Isa> all_isas() {
    static const auto &isas = *new std::vector<Isa>(collect());
    return isas;
}

const std::string &environment_problem() {
    static const auto &problem = *new std::string([] {
        const std::vector<std::string> names = runnable();
        if (preferred().empty() || std::ranges::find(names, preferred()) != names.end())
            return std::string();
        return "FASTSOFTMAX_ISA is '" + preferred() + "', which " +
               (std::ranges::any_of(all_isas(),
                                    [](const Isa &isa) { return isa.name == preferred(); })
                    ? "this CPU can't run"
                    : "isn't the name of an instruction set") +
               "; unset it or set it to one of: " + list(names);
    }());
    return problem;
}

const Kernel *find_kernel(std::string_view op, std::string_view variant, std::string_view dtype,
                          std::string_view isa) {
    if (isa.empty()) {
        const auto found = defaults().find(key(op, variant, dtype));
        return found == defaults().end() ? nullptr : found->second;
    }
    for (const Isa &candidate : all_isas())
        if (candidate.name == isa && candidate.available)
            return find_in(candidate, op, variant, dtype);
    return nullptr;
}

std::vector<std::string> variants_of(std::string_view op) {
    std::vector<std::string> names;
    for (const Isa &isa : all_isas())
        for (const Kernel &kernel : isa.kernels)
            if (kernel.op == op && std::ranges::find(names, kernel.variant.name) == names.end())
                names.emplace_back(kernel.variant.name);
    return names;
}

const Kernel &choose_kernel(std::string_view op, std::string_view variant, std::string_view dtype,
                            std::string_view isa) {
    if (!environment_problem().empty())
        throw std::invalid_argument(environment_problem());
    if (const Kernel *kernel = find_kernel(op, variant, dtype, isa))
        return *kernel;
    const std::string operation(op), name(variant);
    const std::vector<std::string> variants = variants_of(op);
    if (std::ranges::find(variants, name) == variants.end())
        throw std::invalid_argument("unknown variant '" + name + "' for " + operation +
                                    "; there are: " + list(variants));
    const std::vector<std::string> names = runnable(op);
    if (!isa.empty() && std::ranges::find(names, isa) == names.end())
        throw std::invalid_argument("isa '" + std::string(isa) + "' can't run " + operation +
                                    " here; it runs on: " + list(names));
    throw std::invalid_argument("variant '" + name + "' of " + operation + " has no " +
                                std::string(dtype) + " kernel; 'exact' has");
}

} // namespace fastsoftmax
