// What a thread knows of itself, barriers, and what the lanes of a warp do together.
#pragma once
#include "hostcuda.hpp"

#define threadIdx (hostcuda::here.thread)
#define blockIdx (hostcuda::here.block)
#define blockDim (hostcuda::here.block_size)
#define gridDim (hostcuda::here.grid_size)
inline constexpr int warpSize = 32;

// Two plain parameters: GCC 12 gives the caller's line only to builtins that are defaults
// themselves
#define HOSTCUDA_SITE const char *file = __builtin_FILE(), int line = __builtin_LINE()

inline void __syncthreads(HOSTCUDA_SITE) { hostcuda::barrier("__syncthreads", {file, line}); }
inline int __syncthreads_count(int vote, HOSTCUDA_SITE) {
    return hostcuda::barrier_count("__syncthreads_count", vote != 0, {file, line});
}
inline int __syncthreads_or(int vote, HOSTCUDA_SITE) {
    return hostcuda::barrier_count("__syncthreads_or", vote != 0, {file, line}) > 0;
}
inline int __syncthreads_and(int vote, HOSTCUDA_SITE) {
    return hostcuda::barrier_count("__syncthreads_and", vote == 0, {file, line}) == 0;
}
inline void __syncwarp(unsigned mask = ~0u, HOSTCUDA_SITE) {
    hostcuda::warp("__syncwarp", hostcuda::WarpOp::sync, mask, 0, 0, {file, line});
}

namespace hostcuda {

/// Shuffles between lanes of `width`: a source outside gives the lane its own value.
template <class T>
T shuffle(const char *name, unsigned mask, T value, int source, int width, Site site) {
    if (width < 1 || width > 32 || (width & (width - 1)))
        fail(std::string(name) + ": the width must be a power of two up to 32");
    const int lane = static_cast<int>(here.lane), first = lane & ~(width - 1);
    const bool inside = source >= first && source < first + width;
    return unpacked<T>(
        warp(name, WarpOp::shuffle, mask, packed(value), inside ? source : lane, site));
}
inline int first_lane(int width) { return static_cast<int>(here.lane) & ~(width - 1); }

} // namespace hostcuda

template <class T> T __shfl_sync(unsigned mask, T v, int lane, int width = 32, HOSTCUDA_SITE) {
    return hostcuda::shuffle("__shfl_sync", mask, v,
                             hostcuda::first_lane(width) + (lane & (width - 1)), width,
                             {file, line});
}
template <class T> T __shfl_xor_sync(unsigned mask, T v, int bits, int width = 32, HOSTCUDA_SITE) {
    return hostcuda::shuffle("__shfl_xor_sync", mask, v,
                             static_cast<int>(hostcuda::here.lane) ^ bits, width, {file, line});
}
template <class T>
T __shfl_down_sync(unsigned mask, T v, unsigned by, int width = 32, HOSTCUDA_SITE) {
    return hostcuda::shuffle("__shfl_down_sync", mask, v,
                             static_cast<int>(hostcuda::here.lane + by), width, {file, line});
}
template <class T>
T __shfl_up_sync(unsigned mask, T v, unsigned by, int width = 32, HOSTCUDA_SITE) {
    return hostcuda::shuffle("__shfl_up_sync", mask, v,
                             static_cast<int>(hostcuda::here.lane) - static_cast<int>(by), width,
                             {file, line});
}

inline unsigned __ballot_sync(unsigned mask, int vote, HOSTCUDA_SITE) {
    return static_cast<unsigned>(hostcuda::warp("__ballot_sync", hostcuda::WarpOp::ballot, mask,
                                                vote != 0, 0, {file, line}));
}
inline int __any_sync(unsigned mask, int vote, HOSTCUDA_SITE) {
    return __ballot_sync(mask, vote, file, line) != 0;
}
inline int __all_sync(unsigned mask, int vote, HOSTCUDA_SITE) {
    return __ballot_sync(mask, vote, file, line) == mask;
}

#define HOSTCUDA_REDUCE(name, T, op)                                                               \
    inline T name(unsigned mask, T v, HOSTCUDA_SITE) {                                             \
        return static_cast<T>(hostcuda::warp(#name, hostcuda::WarpOp::op, mask,                    \
                                             hostcuda::packed(v), 0, {file, line}));               \
    }
HOSTCUDA_REDUCE(__reduce_max_sync, int, max)
HOSTCUDA_REDUCE(__reduce_max_sync, unsigned, max_unsigned)
HOSTCUDA_REDUCE(__reduce_min_sync, int, min)
HOSTCUDA_REDUCE(__reduce_min_sync, unsigned, min_unsigned)
HOSTCUDA_REDUCE(__reduce_add_sync, int, add)
HOSTCUDA_REDUCE(__reduce_add_sync, unsigned, add)
HOSTCUDA_REDUCE(__reduce_or_sync, unsigned, all_or)
#undef HOSTCUDA_REDUCE
