// Rows whose exponentials are taken by the special-function unit, all or but for a share.
#include "cuda/rows/variant.cuh"

#include "cuda/rows/mixed.cuh"

namespace fastsoftmax::cuda {

template <class V, int Eighths>
inline constexpr bool rescales_by_powers<MixedWeight<V, Eighths>> = true;

namespace {

template <int Eighths> constexpr RowsVariant row() {
    return {Mixed<Eighths>::info(), false, launch_rows_of<Mixed<Eighths>, AnyFloat>};
}
constexpr RowsVariant variants[] = {row<0>(), row<1>(), row<2>(), row<4>()};

} // namespace

RowsVariants mixed_rows() { return {variants, 4}; }

} // namespace fastsoftmax::cuda
