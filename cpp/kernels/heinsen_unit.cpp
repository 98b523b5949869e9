// The kernels with a state, compiled once per ISA as isa_unit.cpp is, whose notes hold here too. A
// unit of its own: it is compiled beside the other one, and either without the other.
#include <cstddef>
#include <cstdint>

#include FS_ISA_HEADER

#include "kernels/heinsen.hpp"
#include "kernels/kernel_row.hpp"

#define FS_STRING_(x) #x
#define FS_STRING(x) FS_STRING_(x)

namespace fastsoftmax::FS_ISA {

extern const KernelTable state_table;

#ifdef FS_INT8_KERNELS_ONLY
constexpr KernelTable state_table{nullptr, 0};
#else
namespace {

template <class Kernel> void invoke(const void *arguments) {
    const FlushDenormals mode;
    Kernel::run(*static_cast<const typename Kernel::Arguments *>(arguments));
}

template <class V> constexpr KernelRow row_of() {
    using Kernel = Heinsen<V>;
    using Weight = ExactWeight<V, false>;
    KernelRow row{Kernel::Arguments::op,
                  FS_STRING(FS_ISA),
                  dtype_name<typename V::scalar>,
                  V::lanes,
                  variant::exact::info(),
                  Kernel::exact_bound,
                  Kernel::exact_bound_kind,
                  invoke<Kernel>,
                  nullptr,
                  nullptr};
    row.variant.domain = Weight::domain();
    row.variant.operations = Weight::operations();
    if (Weight::method())
        row.variant.source = Weight::method();
    return row;
}

constexpr KernelRow rows[] = {row_of<F32>(), row_of<F64>()};

} // namespace

constexpr KernelTable state_table{rows, sizeof(rows) / sizeof(rows[0])};
#endif

} // namespace fastsoftmax::FS_ISA
