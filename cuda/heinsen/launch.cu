// Launchers of Heinsen attention.
#include "cuda/device/make_kernel.hpp"
#include "cuda/heinsen/attention.cuh"
#include "cuda/heinsen/log_values.cuh"
#include "cuda/heinsen/start.cuh"

namespace fastsoftmax::cuda {
namespace {

constexpr Kernel table[] = {exact_kernel<float>("heinsen", claims::heinsen),
                            exact_kernel<double>("heinsen", claims::heinsen),
                            exact_kernel<float>("heinsen_log", claims::heinsen_log),
                            exact_kernel<double>("heinsen_log", claims::heinsen_log)};

int padded(int d) { return static_cast<int>(heinsen_padded(static_cast<std::size_t>(d))); }

/// What a call has of its tokens: answers are for queries, updates for keys.
enum class Tokens { queries, keys, both };

template <class T, Tokens Given>
cudaError_t launch_kernel(const HeinsenArguments &a, HeinsenCall<T> call) {
    constexpr bool keys = Given != Tokens::queries, queries = Given != Tokens::keys;
    call.rows = padded(a.d_k);
    call.width = padded(a.d_v);
    const int tiles = !keys || a.from != a.to ? (call.width + 31) / 32 : 1;
    call.columns = tiles == 1 ? call.width : 32;
    call.tokens = keys ? a.n : 4 * heinsen_chunk;
    const std::int64_t parts = keys ? 1 : (a.n + call.tokens - 1) / call.tokens;
    const std::size_t bytes = sizeof(T) * (a.log_values ? heinsen_log_elements<T>(a.d_k)
                                                        : HeinsenShared<T>::elements(a.d_k));
    if (a.heads > 0x7fffffff || tiles > 65535 || parts > 65535 || bytes > 0x7fffffff)
        return cudaErrorInvalidConfiguration;
    const auto kernel = a.log_values ? heinsen_log<T, keys, queries> : heinsen<T, keys, queries>;
    if (bytes > 24576) { // of 48 KiB, the rest is for what the kernel has in any case
        const cudaError_t error = cudaFuncSetAttribute(
            kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes));
        if (error != cudaSuccess)
            return error;
    }
    return launch(kernel,
                  dim3(static_cast<unsigned>(a.heads), static_cast<unsigned>(tiles),
                       static_cast<unsigned>(parts)),
                  dim3(heinsen_threads), bytes, a.stream, call);
}

template <class T> cudaError_t launch_dtype(const HeinsenArguments &a) {
    HeinsenCall<T> call{};
    call.from = static_cast<const T *>(a.from);
    call.to = static_cast<T *>(a.to);
    call.q = static_cast<const T *>(a.q);
    call.k = static_cast<const T *>(a.k);
    call.v = static_cast<const T *>(a.v);
    call.y = static_cast<T *>(a.y);
    call.n = a.n;
    call.d_k = a.d_k;
    call.d_v = a.d_v;
    call.log_output = a.log_output;
    return !a.k   ? launch_kernel<T, Tokens::queries>(a, call)
           : !a.q ? launch_kernel<T, Tokens::keys>(a, call)
                  : launch_kernel<T, Tokens::both>(a, call);
}

template <class T>
cudaError_t start(void *states, std::int64_t heads, int d_k, int d_v, bool zeros, bool log_values,
                  Stream stream) {
    return launch(heinsen_start<T>, dim3(static_cast<unsigned>(heads)), dim3(heinsen_threads), 0,
                  stream, static_cast<T *>(states), padded(d_k), padded(d_v), d_k, d_v, zeros,
                  log_values);
}

} // namespace

Kernels heinsen_kernels() { return table; }

int launch_heinsen(const HeinsenArguments &a) {
    if (a.d_k < 1 || a.d_v < 1 || (a.k && (!a.v || !a.to)) || (a.q && !a.y) ||
        (a.log_output && !a.log_values) ||
        heinsen_device_size(a.d_k, a.d_v, a.log_values) > most_heinsen_elements)
        return cudaErrorInvalidValue;
    if (a.heads == 0 || a.n == 0 || (!a.k && !a.q))
        return cudaSuccess;
    return a.dtype == Dtype::float64   ? launch_dtype<double>(a)
           : a.dtype == Dtype::float32 ? launch_dtype<float>(a)
                                       : cudaErrorInvalidValue;
}

int launch_heinsen_start(Dtype dtype, void *states, std::int64_t heads, int d_k, int d_v,
                         bool zeros, bool log_values, Stream stream) {
    if (d_k < 1 || d_v < 1 || heads > 0x7fffffff ||
        heinsen_device_size(d_k, d_v, log_values) > most_heinsen_elements ||
        (dtype != Dtype::float32 && dtype != Dtype::float64))
        return cudaErrorInvalidValue;
    if (heads == 0)
        return cudaSuccess;
    const auto of_dtype = dtype == Dtype::float64 ? start<double> : start<float>;
    return of_dtype(states, heads, d_k, d_v, zeros, log_values, stream);
}

} // namespace fastsoftmax::cuda
