// Launcher of `scan`.
#include "cuda/device/make_kernel.hpp"
#include "cuda/scan/scan.cuh"
#include "surrogates.hpp"

#include <cstring>
#include <iterator>
#include <vector>

namespace fastsoftmax::cuda {
namespace {

using ScanKernel = void (*)(ScanArguments);

struct ScanVariant {
    VariantInfo info;
    ScanKernel plain, ahead;
};
constexpr ScanVariant variants[] = {
#define FS_SCAN(type) {type::info(), scan<type, 1>, scan<type, scan_depth>},
#include "cuda/scan/variants.def"
};
constexpr int count = std::size(variants);

std::vector<Kernel> all_kernels() {
    std::vector<Kernel> all;
    for (const ScanVariant &v : variants) {
        const bool exact = std::strcmp(v.info.name, "exact") == 0;
        all.push_back(exact ? exact_kernel<float>("scan", claims::update)
                            : kernel_of("scan", "float32", v.info));
    }
    return all;
}

} // namespace

int scan_variant(const char *name) {
    for (int i = 0; i < count; ++i)
        if (std::strcmp(name, variants[i].info.name) == 0)
            return i;
    return -1;
}

Kernels scan_kernels() {
    static const std::vector<Kernel> all = all_kernels();
    return all;
}

int launch_scan(const ScanArguments &a) {
    if (a.sequences == 0)
        return cudaSuccess;
    if (a.variant < 0 || a.variant >= count || a.threads < 1 || a.threads > 256)
        return cudaErrorInvalidValue;
    const std::int64_t blocks = (a.sequences + a.threads - 1) / a.threads;
    if (blocks > 0x7fffffff)
        return cudaErrorInvalidConfiguration;
    const ScanVariant &v = variants[a.variant];
    return launch(a.ahead ? v.ahead : v.plain, dim3(static_cast<unsigned>(blocks)),
                  dim3(static_cast<unsigned>(a.threads)), 0, a.stream, a);
}

} // namespace fastsoftmax::cuda
