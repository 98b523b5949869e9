// The calls of the CUDA runtime that launchers make.
#pragma once
#include "hostcuda.hpp"

inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline cudaError_t cudaMemsetAsync(void *p, int value, std::size_t bytes, cudaStream_t) {
    std::memset(p, value, bytes);
    return cudaSuccess;
}
inline const char *cudaGetErrorName(cudaError_t error) {
    return error == cudaSuccess                     ? "cudaSuccess"
           : error == cudaErrorInvalidConfiguration ? "cudaErrorInvalidConfiguration"
                                                    : "cudaErrorInvalidValue";
}
inline const char *cudaGetErrorString(cudaError_t error) {
    return error == cudaSuccess                     ? "no error"
           : error == cudaErrorInvalidConfiguration ? "invalid configuration argument"
                                                    : "invalid argument";
}
template <class Kernel>
cudaError_t cudaFuncSetAttribute(Kernel *kernel, cudaFuncAttribute attribute, int value) {
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize ||
        static_cast<std::size_t>(value) > hostcuda::options.shared)
        return cudaErrorInvalidValue;
    hostcuda::allow_shared(reinterpret_cast<const void *>(kernel), static_cast<std::size_t>(value));
    return cudaSuccess;
}
