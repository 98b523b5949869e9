// Inlining and host/device markers shared by everything in cpp/common and cpp/vec.
#pragma once

#if defined(__CUDACC__)
#define FS_INLINE __host__ __device__ __forceinline__
#else
#define FS_INLINE inline __attribute__((always_inline))
#endif
