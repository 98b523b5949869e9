// launch_rows: finds the variant, and checks what a launch can't do.
#include "cuda/device/make_kernel.hpp"
#include "cuda/rows/variant.cuh"

#include <cstring>
#include <vector>

namespace fastsoftmax::cuda {
namespace {

/// f(variant) for all of them, until it returns true.
template <class F> void each_variant(const F &f) {
    for (const RowsVariants kind :
         {exact_rows(), hand_written_rows(), mixed_rows(), surrogate_rows()})
        for (const RowsVariant &v : kind)
            if (f(v))
                return;
}

std::int64_t row_count(const RowsArguments &a) {
    std::int64_t rows = 1;
    for (int d = 0; d < a.dims; ++d)
        rows *= a.extent[d];
    return rows;
}

struct Operation {
    const char *name;
    Claim claim; ///< of `exact`
};
constexpr Operation operations[] = {{"online", claims::probability},
                                    {"log_softmax", claims::log_probability},
                                    {"normalizer", claims::normalizer}};

std::vector<Kernel> all_kernels() {
    std::vector<Kernel> all;
    for (const Operation &op : operations)
        each_variant([&](const RowsVariant &v) {
            if (v.float64) {
                all.push_back(exact_kernel<float>(op.name, op.claim));
                all.push_back(exact_kernel<double>(op.name, op.claim));
            } else {
                all.push_back(kernel_of(op.name, "float32", v.info));
            }
            return false;
        });
    return all;
}

} // namespace

Kernels rows_kernels() {
    static const std::vector<Kernel> all = all_kernels();
    return all;
}

int rows_variant(const char *name) {
    int number = 0, found = -1;
    each_variant([&](const RowsVariant &v) {
        if (std::strcmp(v.info.name, name) == 0)
            found = number;
        ++number;
        return found >= 0;
    });
    return found;
}

std::size_t rows_workspace(const RowsArguments &a) {
    RowsCall call{a, row_count(a)};
    if (call.rows == 0 || a.n == 0 || elements_in_registers(a))
        return 0;
    split_rows(call);
    // two states of each stretch: those of surrogates take the maximum first
    return static_cast<std::size_t>(call.rows) * call.stretches * 2 * sizeof(StretchState);
}

int launch_rows(const RowsArguments &a) {
    if (a.dims < 0 || a.dims > max_outer)
        return cudaErrorInvalidValue;
    RowsCall call{a, row_count(a)};
    if (call.rows == 0)
        return cudaSuccess;
    if (a.dims > 1 && call.rows >> 32) // rows are told apart by divisions of 32 bits
        return cudaErrorInvalidValue;
    if (a.operation == RowsOperation::normalizer || a.operation == RowsOperation::logsumexp)
        call.a.y = nullptr;
    else if (a.n == 0)
        return cudaSuccess;
    int number = 0;
    cudaError_t error = cudaErrorInvalidValue;
    each_variant([&](const RowsVariant &v) {
        if (number++ != a.variant)
            return false;
        if (v.float64 || a.dtype != Dtype::float64)
            error = v.launch(call);
        return true;
    });
    return error;
}

const char *error_name(int error) { return cudaGetErrorName(static_cast<cudaError_t>(error)); }
const char *error_text(int error) { return cudaGetErrorString(static_cast<cudaError_t>(error)); }

} // namespace fastsoftmax::cuda
