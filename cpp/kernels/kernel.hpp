// One entry of the table: what a kernel is, what it promises, and how to call it.
#pragma once
#include "common/weights/variant_info.hpp"

namespace fastsoftmax {

/// A function of a kernel, without the type of its arguments: entries of all operations and dtypes
/// lie in one table. Those that know the type alone call it (dispatch/kernel_for.hpp).
class ErasedFunction {
  public:
    constexpr ErasedFunction() = default;
    explicit constexpr ErasedFunction(void (*function)(const void *arguments))
        : function_(function) {}
    explicit constexpr operator bool() const { return function_ != nullptr; }

  private:
    template <class T> friend class KernelForms;
    template <class Arguments> friend class KernelFor;
    void (*function_)(const void *arguments) = nullptr;
};

/// What brings logits of other types, scaled or masked ones and scattered ones to a kernel, and its
/// results back: see convert/prologue.hpp. One for each ISA and dtype.
struct Conversions {
    ErasedFunction prologue, epilogue;
};

struct Kernel {
    const char *op, *isa, *dtype;
    int lanes;
    VariantInfo variant;
    double bound;
    const char *bound_kind;
    /// Takes the operation's argument struct (arguments.hpp).
    ErasedFunction run;
    /// Takes ColumnsArguments; absent where the operation has no such form.
    ErasedFunction columns = {};
    /// Absent where there is nothing to convert.
    const Conversions *conversions = nullptr;
    /// Takes LongRowArguments; absent where threads can't share a row.
    ErasedFunction long_step = {};
};

/// The kernels of one ISA unit.
struct KernelTable {
    const Kernel *kernels;
    int count;
};

} // namespace fastsoftmax
