// Launcher of `topk`.
#include "cuda/device/make_kernel.hpp"
#include "cuda/topk/topk.cuh"

namespace fastsoftmax::cuda {
namespace {

constexpr Kernel table[] = {exact_kernel<float>("topk", claims::probability),
                            exact_kernel<double>("topk", claims::probability)};

template <class S, Ranked By> cudaError_t launch_as(const TopkCall &call) {
    const std::int64_t of_block = topk_threads / call.threads;
    const std::int64_t blocks = (call.rows + of_block - 1) / of_block;
    if (blocks > 0x7fffffff)
        return cudaErrorInvalidConfiguration;
    return launch(topk<S, By>, dim3(static_cast<unsigned>(blocks)), dim3(topk_threads), 0,
                  call.a.stream, call);
}

template <class S> cudaError_t launch_dtype(const TopkCall &call) {
    const bool plain = call.a.mask_kind == Mask::none && call.a.scale == 1;
    return plain ? launch_as<S, Ranked::plain>(call) : launch_as<S, Ranked::adapted>(call);
}

} // namespace

Kernels topk_kernels() { return table; }

int launch_topk(const TopkArguments &a) {
    if (a.k < 1 || a.k > topk_most || a.n < a.k || a.n > 0x7fffffff - 4096 || a.dims > max_outer)
        return cudaErrorInvalidValue;
    TopkCall call{a, 1, a.n > 2048 ? topk_threads : 32u};
    for (int d = 0; d < a.dims; ++d)
        call.rows *= a.extent[d];
    if (call.rows == 0)
        return cudaSuccess;
    switch (a.dtype) {
    case Dtype::float64:
        return launch_dtype<double>(call);
    case Dtype::float16:
        return launch_dtype<float16>(call);
    case Dtype::bfloat16:
        return launch_dtype<bfloat16>(call);
    default:
        return launch_dtype<float>(call);
    }
}

} // namespace fastsoftmax::cuda
