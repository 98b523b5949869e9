// One front for two compilers: nvcc gets CUDA, a host compiler gets tests/hostcuda, found by the
// include path.
//
// Kernels and launchers use what is here in place of __shared__, <<<>>> and PTX, and so run on
// both. Differences between architectures go by FS_CUDA_ARCH (0 in nvcc's host pass).
//
// nvcc's flags are -std=c++20 -fmad=false -ftz=true: an FMA only where the source says fma, and
// results below the smallest normal number flushed, as on every other instruction set.
#pragma once
#include <cstddef>
#include <cstdint>
#include <type_traits>

#if defined(__CUDACC__)
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#define FS_DEVICE __device__ __forceinline__
#define FS_SHARED(T, name, n) __shared__ T name[n]
#define FS_DYNAMIC_SHARED(T, name)                                                                 \
    extern __shared__ __align__(16) unsigned char fs_dynamic_shared[];                             \
    T *name = reinterpret_cast<T *>(fs_dynamic_shared)
#ifdef __CUDA_ARCH__
#define FS_CUDA_ARCH __CUDA_ARCH__
#else
#define FS_CUDA_ARCH 0
#endif

namespace fastsoftmax::cuda {

/// 2^x and 1 / x by the special-function unit, relative error 2^-22 and one unit in the last place;
/// denormals count as 0.
FS_DEVICE float ex2(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}
FS_DEVICE float rcp(float x) {
    float y;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

/// A result of arithmetic: NaN looks on a device as it does there.
template <class T> __host__ __device__ __forceinline__ T canonical(T x) { return x; }
template <class T> FS_DEVICE void check_aligned(const T *) {}

FS_DEVICE float2 widened_half2(unsigned bits) {
    __half2 pair;
    __builtin_memcpy(&pair, &bits, sizeof bits);
    return __half22float2(pair);
}
template <class Pair> FS_DEVICE unsigned bits_of(Pair pair) {
    unsigned bits;
    __builtin_memcpy(&bits, &pair, sizeof bits);
    return bits;
}
FS_DEVICE unsigned narrowed_half2(float a, float b) { return bits_of(__floats2half2_rn(a, b)); }
FS_DEVICE unsigned narrowed_bfloat2(float a, float b) {
    return bits_of(__floats2bfloat162_rn(a, b));
}

inline int multiprocessors() {
    int device = 0, count = 0;
    if (cudaGetDevice(&device) != cudaSuccess ||
        cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device) != cudaSuccess)
        return 1;
    return count;
}

template <class... P, class... A>
cudaError_t launch(void (*kernel)(P...), dim3 grid, dim3 block, std::size_t shared,
                   cudaStream_t stream, A &&...arguments) {
    kernel<<<grid, block, shared, stream>>>(static_cast<P>(arguments)...);
    return cudaGetLastError();
}

} // namespace fastsoftmax::cuda

#else
#include "hostcuda.hpp"

#include "common/half.hpp"

#define FS_DEVICE inline __attribute__((always_inline))
#define FS_SHARED(T, name, n)                                                                      \
    T(&name)                                                                                       \
    [n] = *static_cast<T(*)[n]>(hostcuda::shared_variable(                                         \
        [] {                                                                                       \
            static const char key = 0;                                                             \
            return &key;                                                                           \
        }(),                                                                                       \
        sizeof(T) * (n), alignof(T)))
#define FS_DYNAMIC_SHARED(T, name) T *name = static_cast<T *>(hostcuda::here.dynamic_shared)
#ifndef FS_CUDA_ARCH
#define FS_CUDA_ARCH 900
#endif

namespace fastsoftmax::cuda {

inline float flushed(float x) { return std::fabs(x) < 0x1p-126f ? std::copysign(0.0f, x) : x; }
inline float ex2(float x) {
    return flushed(static_cast<float>(std::exp2(flushed(x)) * hostcuda::jitter()));
}
inline float rcp(float x) {
    return flushed(static_cast<float>(1.0 / double{flushed(x)} * hostcuda::jitter()));
}

/// Arithmetic on a device gives 0x7fffffff, whose low bits are no zeros as those of x86 are.
inline float canonical(float x) { return x == x ? x : __builtin_bit_cast(float, 0x7fffffffu); }
inline double canonical(double x) { return x; }
template <class T> void check_aligned(const T *p) { hostcuda::check_aligned(p, sizeof(T)); }

inline float2 widened_half2(unsigned bits) {
    return make_float2(widened(float16{static_cast<std::uint16_t>(bits)}),
                       widened(float16{static_cast<std::uint16_t>(bits >> 16)}));
}
template <class Half> unsigned narrowed_pair(float a, float b) {
    Half low, high;
    narrow(a, low);
    narrow(b, high);
    return low.bits | unsigned{high.bits} << 16;
}
inline unsigned narrowed_half2(float a, float b) { return narrowed_pair<float16>(a, b); }
inline unsigned narrowed_bfloat2(float a, float b) { return narrowed_pair<bfloat16>(a, b); }

inline int multiprocessors() { return hostcuda::options.multiprocessors; }

template <class... P, class... A>
cudaError_t launch(void (*kernel)(P...), dim3 grid, dim3 block, std::size_t shared, cudaStream_t,
                   A &&...arguments) {
    auto body = [&] { kernel(static_cast<P>(arguments)...); };
    hostcuda::run(
        reinterpret_cast<const void *>(kernel), grid, block, shared,
        [](void *f) { (*static_cast<decltype(body) *>(f))(); }, &body);
    return cudaSuccess;
}

} // namespace fastsoftmax::cuda
#endif
