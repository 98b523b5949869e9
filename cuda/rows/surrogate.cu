// Rows of the generated surrogates; the type of elements is known when they run.
#include "cuda/rows/variant.cuh"

#include "surrogates.hpp"

namespace fastsoftmax::cuda {
namespace {

constexpr RowsVariant variants[] = {
#define FS_SURROGATE(name) rows_of_any_dtype<variant::generated<surrogate::name>>(),
#include "kernels/kernels.def"
};

} // namespace

RowsVariants surrogate_rows() { return variants; }

} // namespace fastsoftmax::cuda
