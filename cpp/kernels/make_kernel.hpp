// How a unit that is compiled once per ISA makes entries of the table. FS_ISA is its namespace; the
// vector header comes first.
#pragma once
#include "common/claims.hpp"
#include "common/weights/variants.hpp"
#include "kernels/arguments.hpp"
#include "kernels/kernel.hpp"

#define FS_STRING_(x) #x
#define FS_STRING(x) FS_STRING_(x)

namespace fastsoftmax::FS_ISA {
namespace {

/// `function` on its arguments, whose type the table forgets, with denormals off.
template <class Arguments, void (*function)(const Arguments &)>
constexpr ErasedFunction erased{[](const void *arguments) {
    const FlushDenormals mode;
    function(*static_cast<const Arguments *>(arguments));
}};

/// An entry without conversions and other forms.
template <template <class, class> class Operation, class Variant, class V>
constexpr Kernel make_plain_kernel() {
    using Implementation = Operation<Variant, V>;
    using Arguments = typename Implementation::Arguments;
    constexpr VariantInfo info = Variant::info();
    Kernel kernel{.op = Arguments::op,
                  .isa = FS_STRING(FS_ISA),
                  .dtype = dtype_name<typename Arguments::scalar>,
                  .lanes = V::lanes,
                  .variant = info,
                  .bound = info.bound,
                  .bound_kind = info.bound_kind,
                  .run = erased<Arguments, Implementation::run>};
    // what differs by ISA and dtype
    if constexpr (requires { typename Variant::template Weight<V, Shift::none>; }) {
        using Weight = typename Variant::template Weight<V, Shift::none>;
        kernel.variant.domain = Weight::domain();
        if constexpr (requires { Weight::operations(); }) {
            kernel.variant.operations = Weight::operations();
            if (Weight::method())
                kernel.variant.source = Weight::method();
        }
    }
    if constexpr (std::same_as<Variant, variant::exact>) {
        kernel.bound = Implementation::exact_claim.template bound<typename V::scalar>();
        kernel.bound_kind = Implementation::exact_claim.kind;
    }
    return kernel;
}

} // namespace
} // namespace fastsoftmax::FS_ISA
