// The kernels with a state, compiled once per ISA as isa_unit.cpp is, whose notes hold here too. A
// unit of its own: it is compiled beside the other one, and either without the other.
#include <cstddef>
#include <cstdint>

#include FS_ISA_HEADER

#include "kernels/heinsen/attention.hpp"
#include "kernels/heinsen/log_values.hpp"
#include "kernels/make_kernel.hpp"

namespace fastsoftmax::FS_ISA {

extern const KernelTable state_table;

#ifdef FS_INT8_KERNELS_ONLY
constexpr KernelTable state_table{nullptr, 0};
#else
namespace {

#define FS_WITH_STATE(operation, variant, vector) make_plain_kernel<operation, variant, vector>(),
#define FS_ROW(operation, variant, vector)
#define FS_STEPWISE(operation, variant, vector)
#define FS_INT8(operation, variant, vector)
constexpr Kernel kernels[] = {
#include "kernels/kernels.def"
};

} // namespace

constexpr KernelTable state_table{kernels, sizeof(kernels) / sizeof(kernels[0])};
#endif

} // namespace fastsoftmax::FS_ISA
