// One row of the table: what a kernel is, what it promises, and how to call it.
#pragma once
#include "common/weights/variant_info.hpp"

namespace fastsoftmax {

/// What brings logits of other types, scaled or masked ones and scattered ones to a kernel and its
/// results back: see prepare.hpp. One for each ISA and dtype.
struct Conversions {
    void (*prepare)(const void *arguments);
    void (*finish)(const void *arguments);
};

struct KernelRow {
    const char *op, *isa, *dtype;
    int lanes;
    VariantInfo variant;
    double bound;
    const char *bound_kind;
    /// Takes the operation's argument struct (arguments.hpp): KernelRow::call checks which.
    void (*invoke)(const void *arguments);
    /// Takes ColumnsArguments; null where the operation has no such form.
    void (*columns)(const void *arguments);
    const Conversions *conversions;
    /// Takes LongRowArguments; null where threads can't share a row.
    void (*long_step)(const void *arguments);
};

/// The rows of one ISA unit.
struct KernelTable {
    const KernelRow *rows;
    int count;
};

} // namespace fastsoftmax
