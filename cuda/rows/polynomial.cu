// Rows of exp by polynomials of lower degree; the type of elements is known when they run.
#include "cuda/rows/variant.cuh"

namespace fastsoftmax::cuda {
namespace {

template <class Variant> constexpr RowsVariant row() {
    return {Variant::info(), false, launch_rows_of<Variant, AnyFloat>};
}
constexpr RowsVariant variants[] = {row<variant::poly2>(), row<variant::poly3>(),
                                    row<variant::poly4>()};

} // namespace

RowsVariants polynomial_rows() { return {variants, 3}; }

} // namespace fastsoftmax::cuda
