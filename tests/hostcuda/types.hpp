// Vector types, and the few types of the runtime: the toolkit's where it is, else our own.
//
// -DHOSTCUDA_OWN_TYPES takes our own in any case.
#pragma once
#include <cstddef>
#include <cstdint>

#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline
#define __launch_bounds__(...)
// the toolkit's headers leave it alone if it is there already
#define __shared__ static_assert(false, "write FS_SHARED or FS_DYNAMIC_SHARED");

#if __has_include(<driver_types.h>) && !defined(HOSTCUDA_OWN_TYPES)
#include <driver_types.h>
#include <vector_functions.h>
#include <vector_types.h>
#else

#define HOSTCUDA_VECTOR2(T, name, alignment)                                                       \
    struct alignas(alignment) name {                                                               \
        T x, y;                                                                                    \
    };                                                                                             \
    inline name make_##name(T x, T y) { return {x, y}; }
#define HOSTCUDA_VECTOR4(T, name, alignment)                                                       \
    struct alignas(alignment) name {                                                               \
        T x, y, z, w;                                                                              \
    };                                                                                             \
    inline name make_##name(T x, T y, T z, T w) { return {x, y, z, w}; }
HOSTCUDA_VECTOR2(float, float2, 8)
HOSTCUDA_VECTOR2(double, double2, 16)
HOSTCUDA_VECTOR2(int, int2, 8)
HOSTCUDA_VECTOR2(unsigned, uint2, 8)
HOSTCUDA_VECTOR4(float, float4, 16)
HOSTCUDA_VECTOR4(int, int4, 16)
HOSTCUDA_VECTOR4(unsigned, uint4, 16)
#undef HOSTCUDA_VECTOR2
#undef HOSTCUDA_VECTOR4

struct uint3 {
    unsigned x, y, z;
};
struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

enum cudaError_t : int {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorInvalidConfiguration = 9
};
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
struct CUstream_st;
using cudaStream_t = CUstream_st *;
#endif
