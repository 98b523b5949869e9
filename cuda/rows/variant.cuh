// One variant of the row kernels as the launcher sees it, and its launch.
//
// Each file of rows gives the variants of one kind in kernels/kernels.def, so that compilers work
// side by side.
#pragma once
#include "cuda/rows/split_kernels.cuh"

#include "common/weights/variants.hpp"

#include <span>

namespace fastsoftmax::cuda {

struct RowsVariant {
    VariantInfo info;
    bool float64;
    cudaError_t (*launch)(const RowsCall &);
};
using RowsVariants = std::span<const RowsVariant>;

RowsVariants exact_rows();
RowsVariants hand_written_rows();
RowsVariants mixed_rows();
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

/// Elements that the threads of a row must have room for: a row may begin within a vector.
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
    const unsigned block = call.threads <= 32 ? small_block : call.threads;
    const std::int64_t rows_of_block = block / call.threads;
    const std::int64_t blocks = (call.rows + rows_of_block - 1) / rows_of_block;
    if (blocks > 0x7fffffff)
        return cudaErrorInvalidConfiguration;
    return launch(register_rows<Variant, S, Elements>, dim3(static_cast<unsigned>(blocks)),
                  dim3(block), 0, call.a.stream, call);
}

/// Whether registers hold the rows of a call, by how many elements of each thread; 0 if they don't.
inline int elements_in_registers(const RowsArguments &a) {
    const bool wide = a.dtype == Dtype::float64, masked = a.mask_kind != Mask::none;
    const std::int64_t room = room_for(a), threads = wide ? 512 : 1024;
    if (room <= small_tile * 8 || ((wide || masked) && room <= small_tile * threads))
        return small_tile;
    return wide || masked || room > large_tile * threads ? 0 : large_tile;
}

/// Fills in how rows are split: enough blocks to keep the device busy, none of them tiny.
inline void split_rows(RowsCall &call) {
    constexpr std::int64_t turn = split_threads * split_elements, most = 512, longest = 1 << 30;
    const std::int64_t n = call.a.n, turns = (n + turn - 1) / turn;
    std::int64_t wanted = 4 * multiprocessors() / call.rows;
    wanted = wanted < 1 ? 1 : wanted > most ? most : wanted;
    wanted = wanted < n / longest + 1 ? n / longest + 1 : wanted;
    const std::int64_t turns_each = (turns + wanted - 1) / wanted;
    call.stretch = turns_each * turn;
    call.stretches = static_cast<unsigned>((n + call.stretch - 1) / call.stretch);
}

template <class Variant, class S> cudaError_t launch_split_rows(RowsCall call) {
    using V = Lane<typename ComputedOf<S>::type>;
    using Weight = typename Variant::template Weight<V, Shift::none>;
    split_rows(call);
    const std::int64_t blocks = call.rows * call.stretches;
    if (blocks > 0x7fffffff)
        return cudaErrorInvalidConfiguration;
    call.states = static_cast<StretchState *>(call.a.workspace);
    call.sums = call.states + (rescales_by_powers<Weight> ? 0 : blocks);
    const dim3 grid(static_cast<unsigned>(blocks)), block(split_threads);
    cudaError_t error = cudaSuccess;
    if constexpr (!rescales_by_powers<Weight>)
        error = launch(stretch_maxima<S>, grid, block, 0, call.a.stream, call);
    if (error == cudaSuccess)
        error = launch(stretch_states<Variant, S>, grid, block, 0, call.a.stream, call);
    if (error == cudaSuccess)
        error = launch(stretch_results<Variant, S>, grid, block, 0, call.a.stream, call);
    return error;
}

template <class Variant, class S> cudaError_t launch_rows_of(const RowsCall &call) {
    const int elements = elements_in_registers(call.a);
    if (elements == small_tile)
        return launch_register_rows<Variant, S, small_tile>(call, room_for(call.a));
    if constexpr (!std::is_same_v<S, double>)
        if (elements == large_tile)
            return launch_register_rows<Variant, S, large_tile>(call, room_for(call.a));
    return launch_split_rows<Variant, S>(call);
}

/// A variant of float32, float16 and bfloat16, which share their kernels.
template <class Variant> constexpr RowsVariant rows_of_any_dtype() {
    return {Variant::info(), false, launch_rows_of<Variant, AnyFloat>};
}

} // namespace fastsoftmax::cuda
