// One variant of the row kernels as the launcher sees it, and its launch.
//
// Each rows_*.cu gives some of them, so that compilers work side by side.
#pragma once
#include "register_rows.cuh"

#include "common/variants.hpp"

namespace fastsoftmax::cuda {

struct RowsVariant {
    VariantInfo info;
    bool float64;
    cudaError_t (*launch)(const RowsCall &);
};
struct RowsVariants {
    const RowsVariant *first;
    int count;
};

RowsVariants exact_rows();
RowsVariants polynomial_rows();
RowsVariants surrogate_rows();

/// Rows of one block, where a row has no more than a warp; above, a block has one row.
inline constexpr unsigned small_block = 128;

/// Smallest power of two that is enough.
inline unsigned power_of_two_from(std::int64_t enough) {
    unsigned power = 1;
    while (power < enough)
        power *= 2;
    return power;
}

/// Elements that the threads of a row must have room for: a row may begin within a chunk.
inline std::int64_t room_for(const RowsArguments &a) {
    const int size = size_of(a.dtype), per = 16 / size;
    bool aligned = reinterpret_cast<std::uintptr_t>(a.x) % 16 == 0;
    for (int d = 0; d < a.dims; ++d)
        aligned = aligned && a.x_at.outer[d] % per == 0;
    return (a.n + per - 1) / per * per + (aligned ? 0 : per);
}

template <class Variant, class S, int Elements>
cudaError_t launch_register_rows(RowsCall call, std::int64_t room) {
    call.threads = power_of_two_from((room + Elements - 1) / Elements);
    if (Elements == many && call.threads < 32)
        call.threads = 32;
    const unsigned block = call.threads <= 32 ? small_block : call.threads;
    const std::int64_t rows_of_block = block / call.threads;
    const std::int64_t blocks = (call.rows + rows_of_block - 1) / rows_of_block;
    if (blocks > 0x7fffffff)
        return cudaErrorInvalidConfiguration;
    return launch(register_rows<Variant, S, Elements>, dim3(static_cast<unsigned>(blocks)),
                  dim3(block), 0, call.a.stream, call);
}

template <class Variant, class S> cudaError_t launch_rows_of(const RowsCall &call) {
    const std::int64_t room = room_for(call.a);
    if (room <= few * 32 ||
        ((sizeof(typename ComputedOf<S>::type) == 8 || call.a.mask_kind != Mask::none) &&
         room <= few * register_threads<S>))
        return launch_register_rows<Variant, S, few>(call, room);
    if constexpr (!std::is_same_v<S, double>)
        if (call.a.mask_kind == Mask::none && room <= many * register_threads<S>)
            return launch_register_rows<Variant, S, many>(call, room);
    return cudaErrorInvalidValue;
}

} // namespace fastsoftmax::cuda
