// Planted bugs: what hostcuda and the sanitizers must find, and the same kernels without the bug,
// on which they must be silent.
//
// "list" prints for each bug its name, the build that finds it and what it then says; NAME runs the
// kernel with the bug, "fixed" all kernels without their bugs. Status 3: hostcuda has found
// something; 4: the result is wrong.
#include "cuda/device/compat.cuh"
#include "report.hpp"

#include <cmath>
#include <string_view>

using fastsoftmax::cuda::launch;

namespace {

__global__ void missing_barrier(float *out, bool fixed) {
    FS_SHARED(float, values, 128);
    values[threadIdx.x] = static_cast<float>(threadIdx.x);
    if (fixed)
        __syncthreads();
    out[threadIdx.x] = values[blockDim.x - 1 - threadIdx.x];
}

__global__ void divergent_barrier(float *out, bool fixed) {
    if (threadIdx.x < 32 || fixed) {
        __syncthreads();
    } else {
        __syncthreads();
    }
    out[threadIdx.x] = 1;
}

__global__ void barrier_after_return(float *out, bool fixed) {
    if (threadIdx.x >= 100 && !fixed)
        return;
    __syncthreads();
    out[threadIdx.x] = 1;
}

__global__ void waits_for_each_other(float *out, bool fixed) {
    if (threadIdx.x == 64 && !fixed)
        __syncwarp();
    __syncthreads();
    out[threadIdx.x] = 1;
}

__global__ void lane_that_left(float *out, bool fixed) {
    if (threadIdx.x % 32 == 31 && !fixed)
        return;
    out[threadIdx.x] = __shfl_xor_sync(~0u, out[threadIdx.x], 1);
}

__global__ void caller_not_in_mask(float *out, bool fixed) {
    out[threadIdx.x] = __shfl_xor_sync(fixed ? ~0u : 0xffffu, out[threadIdx.x], 1);
}

__global__ void source_not_in_mask(float *out, bool fixed) {
    if (threadIdx.x % 32 < 16)
        out[threadIdx.x] = __shfl_xor_sync(0xffffu, out[threadIdx.x], fixed ? 8 : 16);
}

__global__ void lanes_apart(float *out, bool fixed) {
    if (threadIdx.x % 2 || fixed)
        out[threadIdx.x] = __shfl_xor_sync(~0u, out[threadIdx.x], 1);
    else
        out[threadIdx.x] = __shfl_xor_sync(~0u, 2 * out[threadIdx.x], 1);
}

__global__ void missing_syncwarp(float *out, bool fixed) {
    FS_SHARED(float, values, 128);
    values[threadIdx.x] = static_cast<float>(threadIdx.x);
    if (fixed)
        __syncwarp();
    out[threadIdx.x] = values[threadIdx.x ^ 1];
}

__global__ void overrun_of_global(float *out, bool fixed) {
    out[threadIdx.x + (fixed ? 0 : 1)] = 1;
}

__global__ void overrun_of_static_shared(float *out, bool fixed) {
    FS_SHARED(float, values, 128);
    float *const first = values; // of an array the compiler itself would know the end
    first[threadIdx.x + (fixed ? 0 : 1)] = 1;
    out[threadIdx.x] = values[threadIdx.x];
}

__global__ void overrun_of_dynamic_shared(float *out, bool fixed) {
    FS_DYNAMIC_SHARED(float, values);
    values[threadIdx.x + (fixed ? 0 : 1)] = 1;
    out[threadIdx.x] = values[threadIdx.x];
}

__global__ void misaligned_vector(float *out, bool fixed) {
    if (threadIdx.x < 16)
        *reinterpret_cast<float4 *>(out + 4 * threadIdx.x + (fixed ? 0 : 1)) = float4{1, 2, 3, 4};
}

__global__ void misaligned_wrapper(float *out, bool fixed) {
    if (threadIdx.x < 16) {
        auto *const to = reinterpret_cast<float4 *>(out + 4 * threadIdx.x + (fixed ? 0 : 1));
        fastsoftmax::cuda::check_aligned(to);
    }
}

__global__ void unset_shared(float *out, bool fixed) {
    FS_SHARED(float, values, 128);
    if (threadIdx.x != 5 || fixed)
        values[threadIdx.x] = 1;
    __syncthreads();
    out[threadIdx.x] = values[threadIdx.x];
}

__global__ void unset_dynamic_shared(float *out, bool fixed) {
    FS_DYNAMIC_SHARED(float, values);
    if (threadIdx.x != 5 || fixed)
        values[threadIdx.x] = 1;
    __syncthreads();
    out[threadIdx.x] = values[threadIdx.x];
}

__global__ void blocks_write_one_address(float *out, bool fixed) {
    if (threadIdx.x == 0)
        out[fixed ? blockIdx.x : 0] = static_cast<float>(blockIdx.x);
}

__global__ void threads_write_one_address(float *out, bool fixed) {
    if (fixed)
        atomicAdd(out + threadIdx.x % 4, 1.0f);
    else
        out[threadIdx.x % 4] += 1.0f;
}

struct Bug {
    const char *name, *build, *says;
    void (*kernel)(float *, bool);
    std::size_t shared = 0;
    unsigned blocks = 1;
};
#define BUG(name, build, says)                                                                     \
    Bug { #name, build, says, name }
const Bug bugs[] = {
    BUG(missing_barrier, "tsan", "data race"),
    BUG(missing_barrier, "plain", "wrong result"),
    BUG(divergent_barrier, "plain", "divergent barrier"),
    BUG(barrier_after_return, "plain", "returned before it"),
    BUG(waits_for_each_other, "plain", "deadlock"),
    BUG(lane_that_left, "plain", "has returned"),
    BUG(caller_not_in_mask, "plain", "the calling lane is not in the mask"),
    BUG(source_not_in_mask, "plain", "which is not in the mask"),
    BUG(lanes_apart, "plain", "divergent warp operation"),
    BUG(missing_syncwarp, "tsan", "data race"),
    BUG(overrun_of_global, "asan", "heap-buffer-overflow"),
    BUG(overrun_of_static_shared, "asan", "heap-buffer-overflow"),
    {"overrun_of_dynamic_shared", "asan", "heap-buffer-overflow", overrun_of_dynamic_shared, 512},
    BUG(misaligned_vector, "asan", "misaligned address"),
    BUG(misaligned_wrapper, "plain", "misaligned access"),
    BUG(unset_shared, "plain", "wrong result"),
    {"unset_dynamic_shared", "plain", "wrong result", unset_dynamic_shared, 512},
    {"blocks_write_one_address", "tsan", "data race", blocks_write_one_address, 0, 3},
    BUG(threads_write_one_address, "tsan", "data race"),
};

/// Runs a kernel in every schedule; false if it gives NaN, or other results than in the first.
bool same_in_all_schedules(const Bug &bug, bool fixed) {
    std::vector<float> first;
    bool same = true;
    hostcuda::each_schedule([&](const char *) {
        hostcuda::Memory<float> out(128);
        for (std::size_t i = 0; i < out.size(); ++i)
            out[i] = static_cast<float>(i);
        launch(bug.kernel, dim3(bug.blocks), dim3(128), bug.shared, nullptr, out.data(), fixed);
        std::vector<float> now(out.data(), out.data() + out.size());
        for (const float value : now)
            same = same && value == value;
        same = same && (first.empty() || now == first);
        first = now;
    });
    return same;
}

/// Runs one; the status of the program.
int run(const Bug &bug, bool fixed) {
    try {
        if (same_in_all_schedules(bug, fixed))
            return 0;
        std::printf("%s: wrong result\n", bug.name);
        return 4;
    } catch (const hostcuda::Error &e) {
        std::printf("%s: %s\n", bug.name, e.what());
        return 3;
    }
}

} // namespace

int main(int count, char **arguments) {
    const std::string_view name = count > 1 ? arguments[1] : "";
    int status = name == "list" || name == "fixed" ? 0 : 2;
    for (const Bug &bug : bugs) {
        if (name == "list")
            std::printf("%s %s %s\n", bug.name, bug.build, bug.says);
        else if (name == "fixed" && status == 0)
            status = run(bug, true);
        else if (name == bug.name)
            return run(bug, false);
    }
    return status;
}
