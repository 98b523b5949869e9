// Rows of the generated surrogates; the type of elements is known when they run.
#include "cuda/rows/variant.cuh"

#include "surrogates.hpp"

namespace fastsoftmax::cuda {
namespace {

template <class Surrogate> constexpr RowsVariant row() {
    using Variant = variant::generated<Surrogate>;
    return {Variant::info(), false, launch_rows_of<Variant, AnyFloat>};
}
constexpr RowsVariant variants[] = {
#define FS_SURROGATE(name) row<surrogate::name>(),
#define FS_RAW(name, raw_name)
#include "surrogates.def"
#undef FS_SURROGATE
#undef FS_RAW
};

} // namespace

RowsVariants surrogate_rows() { return {variants, sizeof variants / sizeof *variants}; }

} // namespace fastsoftmax::cuda
