// Kernels whose arguments have a type: what the registry's entries are called through.
#pragma once
#include "dispatch/registry.hpp"
#include "kernels/arguments.hpp"
#include "kernels/rows/shared_row.hpp"

#include <stdexcept>

namespace fastsoftmax {

/// The forms of a kernel whose arguments hang on its dtype alone. The caller has seen to it that
/// the kernel has the form.
template <class T> class KernelForms {
  public:
    /// Throws std::logic_error if the kernel is for another dtype.
    explicit KernelForms(const Kernel &kernel) : kernel_(&kernel) {
        if (std::string_view(kernel.dtype) != dtype_name<T>)
            throw std::logic_error(std::string(kernel.op) + " of " + kernel.dtype +
                                   " called with " + dtype_name<T>);
    }

    bool has_columns() const { return static_cast<bool>(kernel_->columns); }
    void columns(const ColumnsArguments<T> &a) const { kernel_->columns.function_(&a); }

    bool has_long_steps() const { return static_cast<bool>(kernel_->long_step); }
    void long_step(const LongRowArguments<T> &a) const { kernel_->long_step.function_(&a); }

    void prologue(const PrologueArguments<T> &a) const {
        kernel_->conversions->prologue.function_(&a);
    }
    void epilogue(const EpilogueArguments<T> &a) const {
        kernel_->conversions->epilogue.function_(&a);
    }

    int lanes() const { return kernel_->lanes; }

  protected:
    struct Chosen {}; ///< by its names, so they needn't be looked at: calls on few numbers feel it
    KernelForms(const Kernel &kernel, Chosen) : kernel_(&kernel) {}

    const Kernel *kernel_;
};

/// A kernel of the operation and dtype that `Arguments` names. Other arguments don't compile.
template <class Arguments> class KernelFor : public KernelForms<typename Arguments::scalar> {
    using T = typename Arguments::scalar;
    using Forms = KernelForms<T>;

  public:
    /// The one that runs here; throws as choose_kernel does.
    KernelFor(std::string_view variant, std::string_view isa)
        : Forms(choose_kernel(Arguments::op, variant, dtype_name<T>, isa),
                typename Forms::Chosen()) {}
    /// Throws std::logic_error if the kernel is another operation's, or for another dtype.
    explicit KernelFor(const Kernel &kernel) : Forms(kernel) {
        if (std::string_view(kernel.op) != Arguments::op)
            throw std::logic_error(std::string(kernel.op) + " called as " + Arguments::op);
    }

    void operator()(const Arguments &a) const { this->kernel_->run.function_(&a); }
};

/// The kernel for these arguments; throws as choose_kernel does.
template <class Arguments>
KernelFor<Arguments> kernel_for(std::string_view variant, std::string_view isa = {}) {
    return KernelFor<Arguments>(variant, isa);
}

/// Calls a kernel of the table that must be the arguments'.
template <class Arguments> void call(const Kernel &kernel, const Arguments &arguments) {
    const KernelFor<Arguments> typed(kernel);
    typed(arguments);
}

} // namespace fastsoftmax
