// How launchers make what the registry shows of a kernel.
#pragma once
#include "cuda/api/rows.hpp"

#include "common/claims.hpp"
#include "common/weights/variants.hpp"

namespace fastsoftmax::cuda {

constexpr Kernel kernel_of(const char *op, const char *dtype, const VariantInfo &variant) {
    return {op, dtype, variant, variant.bound, variant.bound_kind};
}

template <class T> constexpr Kernel exact_kernel(const char *op, const Claim &claim) {
    VariantInfo variant = variant::exact::info();
    variant.domain = ExpConstants<T>::lowest;
    return {op, sizeof(T) == 4 ? "float32" : "float64", variant, claim.bound<T>(), claim.kind};
}

} // namespace fastsoftmax::cuda
