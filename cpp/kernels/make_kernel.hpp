// How a unit that is compiled once per ISA makes rows of the table from kernels. FS_ISA is its
// namespace; the vector header comes first.
#pragma once
#include "common/weights/variants.hpp"
#include "kernels/arguments.hpp"
#include "kernels/kernel.hpp"

#define FS_STRING_(x) #x
#define FS_STRING(x) FS_STRING_(x)

namespace fastsoftmax::FS_ISA {
namespace {

template <class Kernel> void invoke(const void *arguments) {
    const FlushDenormals mode;
    Kernel::run(*static_cast<const typename Kernel::Arguments *>(arguments));
}

/// A row without conversions and other forms.
template <template <class, class> class Operation, class Variant, class V>
constexpr KernelRow plain_row_of() {
    using Kernel = Operation<Variant, V>;
    constexpr VariantInfo info = Variant::info();
    KernelRow row{Kernel::Arguments::op,
                  FS_STRING(FS_ISA),
                  dtype_name<typename V::scalar>,
                  V::lanes,
                  info,
                  info.bound,
                  info.bound_kind,
                  invoke<Kernel>,
                  nullptr,
                  nullptr,
                  nullptr};
    // what differs by ISA and dtype
    if constexpr (requires { typename Variant::template Weight<V, false>; }) {
        using Weight = typename Variant::template Weight<V, false>;
        row.variant.domain = Weight::domain();
        if constexpr (requires { Weight::operations(); }) {
            row.variant.operations = Weight::operations();
            if (Weight::method())
                row.variant.source = Weight::method();
        }
    }
    if constexpr (std::same_as<Variant, variant::exact>) {
        row.bound = Kernel::exact_bound;
        row.bound_kind = Kernel::exact_bound_kind;
    }
    return row;
}

} // namespace
} // namespace fastsoftmax::FS_ISA
