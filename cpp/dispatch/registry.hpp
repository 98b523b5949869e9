// All kernels that were compiled, and the choice among them.
#pragma once
#include "kernels/kernel.hpp"
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fastsoftmax {

struct Isa {
    const char *name;
    bool available; // whether this CPU runs it
    std::span<const Kernel> kernels;
};

/// Every compiled ISA, worst first.
std::span<const Isa> all_isas();

/// The kernel for an operation: of `isa` when one is named, else of FASTSOFTMAX_ISA when that has
/// the operation, else of the best ISA that runs here. nullptr when there is none.
const Kernel *find_kernel(std::string_view op, std::string_view variant, std::string_view dtype,
                          std::string_view isa = {});

/// The same; throws std::invalid_argument with what there is to choose from.
const Kernel &choose_kernel(std::string_view op, std::string_view variant, std::string_view dtype,
                            std::string_view isa = {});

/// Names of the variants that have the operation, in table order.
std::vector<std::string> variants_of(std::string_view op);

/// What is wrong with FASTSOFTMAX_ISA, or an empty string. The variable is read once.
const std::string &environment_problem();

} // namespace fastsoftmax
