// What the row kernels take, and where a row's operands are.
#pragma once
#include "cuda/api/rows.hpp"
#include "cuda/device/load_floats.cuh"

namespace fastsoftmax::cuda {

struct StretchState;

struct RowsCall {
    RowsArguments a;
    std::int64_t rows;
    unsigned threads = 0; ///< of a row, where registers hold it
    // Else, see split.cuh: how many stretches a row has, how long one is, and two states each
    unsigned stretches = 1;
    std::int64_t stretch = 0;
    StretchState *states = nullptr, *sums = nullptr;
};

/// Of one row, in elements.
struct RowOffsets {
    std::int64_t x = 0, y = 0, mask = 0, sink = 0;

    FS_DEVICE RowOffsets(const RowsArguments &a, std::int64_t row) {
        if (a.dims <= 1) {
            add(a, 0, row);
            return;
        }
        auto rest = static_cast<std::uint32_t>(row); // launchers see to it that it fits
#pragma unroll
        for (int d = max_outer - 1; d > 0;
             --d) // by constants, or the kernel's parameters are copied
            if (d < a.dims) {
                const auto extent = static_cast<std::uint32_t>(a.extent[d]);
                add(a, d, rest % extent);
                rest /= extent;
            }
        add(a, 0, rest);
    }

  private:
    FS_DEVICE void add(const RowsArguments &a, int d, std::int64_t i) {
        x += i * a.x_at.outer[d];
        y += i * a.y_at.outer[d];
        mask += i * a.mask_at.outer[d];
        sink += i * a.sink_at.outer[d];
    }
};

/// The type of elements is known when the kernel runs: float, float16 or bfloat16.
struct AnyFloat {};
template <class S> struct ComputedOf {
    using type = Computed<S>;
};
template <> struct ComputedOf<AnyFloat> {
    using type = float;
};

/// f(null pointer of the type that x and y have).
template <class S, class F> FS_DEVICE void with_dtype(Dtype dtype, const F &f) {
    if constexpr (!std::is_same_v<S, AnyFloat>)
        f(static_cast<S *>(nullptr));
    else if (dtype == Dtype::float32)
        f(static_cast<float *>(nullptr));
    else if (dtype == Dtype::float16)
        f(static_cast<float16 *>(nullptr));
    else
        f(static_cast<bfloat16 *>(nullptr));
}

template <class T> FS_DEVICE T sink_of(const RowsArguments &a, const RowOffsets &at) {
    return a.sink ? static_cast<const T *>(a.sink)[at.sink] : -infinity<T>();
}

} // namespace fastsoftmax::cuda
