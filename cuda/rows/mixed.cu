// Rows whose exponentials are taken by the special-function unit, all or but for a share.
#include "cuda/rows/variant.cuh"

#include "cuda/rows/mixed.cuh"

namespace fastsoftmax::cuda {

template <class V, int Eighths>
inline constexpr bool rescales_by_powers<MixedWeight<V, Eighths>> = true;

namespace {

constexpr RowsVariant variants[] = {
#define FS_CUDA_ROWS(name, type) rows_of_any_dtype<type>(),
#include "kernels/kernels.def"
};

} // namespace

RowsVariants mixed_rows() { return variants; }

} // namespace fastsoftmax::cuda
