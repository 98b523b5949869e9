// One row of the table: what a kernel is, what it promises, and how to call it.
#pragma once
#include "common/variant_info.hpp"

namespace fastsoftmax {

struct KernelRow {
    const char *op, *isa, *dtype;
    int lanes;
    VariantInfo variant;
    double bound;
    const char *bound_kind;
    /// Takes the operation's argument struct (arguments.hpp): KernelRow::call checks which.
    void (*invoke)(const void *arguments);
};

/// The rows of one ISA unit.
struct KernelTable {
    const KernelRow *rows;
    int count;
};

} // namespace fastsoftmax
