// Rows of the other hand-written variants; the type of elements is known when they run.
#include "cuda/rows/variant.cuh"

namespace fastsoftmax::cuda {
namespace {

constexpr RowsVariant variants[] = {
#define FS_VARIANT(name) rows_of_any_dtype<variant::name>(),
#include "kernels/kernels.def"
};

} // namespace

RowsVariants hand_written_rows() { return variants; }

} // namespace fastsoftmax::cuda
