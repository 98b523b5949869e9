// The exact rows, compiled for each type of elements.
#include "cuda/rows/variant.cuh"

namespace fastsoftmax::cuda {
namespace {

template <class Variant> cudaError_t launch_each_dtype(const RowsCall &call) {
    switch (call.a.dtype) {
    case Dtype::float64:
        return launch_rows_of<Variant, double>(call);
    case Dtype::float16:
        return launch_rows_of<Variant, float16>(call);
    case Dtype::bfloat16:
        return launch_rows_of<Variant, bfloat16>(call);
    default:
        return launch_rows_of<Variant, float>(call);
    }
}

constexpr RowsVariant variants[] = {
#define FS_EXACT(name) {variant::name::info(), true, launch_each_dtype<variant::name>},
#include "kernels/kernels.def"
};

} // namespace

RowsVariants exact_rows() { return variants; }

} // namespace fastsoftmax::cuda
