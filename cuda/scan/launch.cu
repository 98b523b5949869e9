// Launcher of `scan`.
#include "cuda/scan/scan.cuh"
#include "surrogates.hpp"

#include <cstring>
#include <iterator>

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

struct Table {
    Kernel rows[count];
    Table() {
        for (int i = 0; i < count; ++i) {
            const VariantInfo &info = variants[i].info;
            const bool exact = std::strcmp(info.name, "exact") == 0;
            rows[i] = {"scan", "float32", info, exact ? 4e-7 : info.bound,
                       exact ? "relative, s, one update" : info.bound_kind};
        }
    }
};

} // namespace

int scan_variant(const char *name) {
    for (int i = 0; i < count; ++i)
        if (std::strcmp(name, variants[i].info.name) == 0)
            return i;
    return -1;
}

Kernels scan_kernels() {
    static const Table table;
    return {table.rows, count};
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
