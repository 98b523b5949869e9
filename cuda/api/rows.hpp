// The launchers of the CUDA kernels, in plain C++: what the Python binding and the tests call.
//
// A launcher enqueues on the stream it is given and returns the runtime's error as an int (0 is
// success, cuda::error_text() words it). None of them allocates, synchronises, or looks at the
// data. They take what the binding has checked: pointers are of the device, extents are not
// negative. Strides count elements. Built by a host compiler (tests/hostcuda) the same launchers
// run on the CPU.
#pragma once
#include "common/weights/variant_info.hpp"
#include <cstddef>
#include <cstdint>
#include <span>

struct CUstream_st; // what cudaStream_t points to

namespace fastsoftmax::cuda {

using Stream = CUstream_st *;

enum class Dtype : int { float32, float64, float16, bfloat16 };
constexpr int size_of(Dtype dtype) {
    return dtype == Dtype::float32 ? 4 : dtype == Dtype::float64 ? 8 : 2;
}

/// One kernel as the registry shows it.
struct Kernel {
    const char *op, *dtype;
    VariantInfo variant;
    double bound;
    const char *bound_kind;
};
using Kernels = std::span<const Kernel>;

/// Name and description of an error that a launcher returned.
const char *error_name(int error);
const char *error_text(int error);

// Rows of floats: online, log_softmax, normalizer, logsumexp

enum class RowsOperation : int { online, log_softmax, normalizer, logsumexp };
enum class Mask : int { none, keep, add };

/// Dimensions that rows run along, the last one fastest. Adjacent ones should be merged where their
/// strides allow: each costs every row a division.
inline constexpr int max_outer = 7;

/// An operand: where row (i0, i1, ...) starts, and the step from one of its elements to the next.
struct Strided {
    std::int64_t outer[max_outer], step;
};

/// scale * x [+ mask] [with a sink], row by row: see fastsoftmax.hpp, whose semantics these are.
/// The elements of a row of x and y are neighbours (`step` is 1): other arrays are copied first.
struct RowsArguments {
    RowsOperation operation;
    int variant; ///< from rows_variant()
    Dtype dtype; ///< of x and y; float64 has `exact` only
    int dims;    ///< how many of `extent` there are, 0 for one row
    std::int64_t extent[max_outer];
    std::int64_t n; ///< elements of a row
    const void *x;
    Strided x_at;
    void *y; ///< online and log_softmax: results, same dtype; may be x with the same strides
    Strided y_at;
    /// normalizer: m and s, logsumexp: m alone; one a row in C order, float64 for float64, else
    /// float32.
    void *m, *s;
    Mask mask_kind;
    const void *mask;      ///< bytes, 0 or not; or what is added, float64 for float64, else float32
    Strided mask_at;       ///< 0 where it is broadcast
    double masked_at_most; ///< an added number up to this one takes its element out
    const void *sink;      ///< float64 for float64, else float32; or nullptr
    Strided sink_at;       ///< `step` isn't used
    double scale;
    void *workspace; ///< rows_workspace() bytes on the device, aligned to 16
    Stream stream;
};

/// Number of a variant, or -1: the names are those of rows_kernels().
int rows_variant(const char *name);
/// What the kernels of floats promise. Some variants exist here alone: exponentials by the
/// special-function unit, but for a share that runs on the FMA units (cuda/rows/mixed.cuh).
Kernels rows_kernels();
/// Bytes of scratch space on the device that a call needs; 0 for most.
std::size_t rows_workspace(const RowsArguments &arguments);
int launch_rows(const RowsArguments &arguments);

} // namespace fastsoftmax::cuda
