// An operation on the rows of arrays of any layout, without the types of their elements: what
// run_job.hpp splits into blocks.
#pragma once
#include "api/jobs/lie_apart.hpp"
#include "api/jobs/outer_loop.hpp"
#include "fastsoftmax/fastsoftmax.hpp"
#include "kernels/arguments.hpp"

namespace fastsoftmax {

template <class E> inline constexpr Format format_of = Format::same;
template <> inline constexpr Format format_of<float16> = Format::float16;
template <> inline constexpr Format format_of<bfloat16> = Format::bfloat16;

/// T is what rows are computed in. Strides are in bytes; `step` runs along the axis.
template <class T> struct RowsJob {
    const void *x = nullptr;
    void *y = nullptr; ///< absent where only states are wanted
    const void *mask = nullptr;
    const T *sink = nullptr;
    Format format = Format::same; ///< of x and y
    MaskKind mask_kind = MaskKind::none;
    T scale = 1;
    std::ptrdiff_t item = sizeof(T), x_step = 0, y_step = 0, mask_step = 0;
    std::size_t n = 0, rows = 0;
    OuterLoop outer;

    /// Whether kernels may read the logits as they are.
    bool plain() const {
        return format == Format::same && mask_kind == MaskKind::none && scale == 1 && !sink;
    }
};

template <class E>
RowsJob<Computed<E>> rows_job(Array<const E> x, Array<E> y, std::size_t axis,
                              const Adaptation<Computed<E>> &adaptation) {
    using T = Computed<E>;
    const auto same_shape = [&](const auto &array) {
        return !array.data || std::ranges::equal(array.shape, x.shape);
    };
    if (!same_shape(y))
        throw std::invalid_argument("x and y differ in shape");
    const std::size_t rows = count_rows(x.shape, axis, sizeof(T));
    if (y.data && !lie_apart(y.shape, y.strides, sizeof(E)))
        throw std::invalid_argument("elements of y don't lie apart: a stride is too short");
    if (!same_shape(adaptation.keep) || !same_shape(adaptation.add))
        throw std::invalid_argument(
            "a mask must have the shape of x; broadcast it by strides of 0");
    if (adaptation.keep.data && adaptation.add.data)
        throw std::invalid_argument("a mask is either boolean or added, not both");
    if (!is_scale<T>(adaptation.scale))
        throw std::invalid_argument(
            "scale must be finite and, unless it is 0, a normal number of the type computed in");

    RowsJob<T> job;
    job.x = x.data, job.y = y.data;
    job.rows = rows;
    job.n = x.shape[axis];
    job.format = format_of<E>;
    job.item = sizeof(E);
    job.scale = static_cast<T>(adaptation.scale);
    job.sink = adaptation.sink.data;
    if (job.sink && adaptation.sink.shape.size() + 1 != x.shape.size())
        throw std::invalid_argument("sink must have the shape of x without the axis");
    std::span<const std::ptrdiff_t> mask;
    if (adaptation.keep.data) {
        job.mask = adaptation.keep.data, job.mask_kind = MaskKind::keep;
        mask = adaptation.keep.strides;
    } else if (adaptation.add.data) {
        job.mask = adaptation.add.data, job.mask_kind = MaskKind::add;
        mask = adaptation.add.strides;
    }
    for (std::size_t i = 0, j = 0; i < x.shape.size(); ++i) {
        if (i == axis)
            continue;
        if (job.sink && adaptation.sink.shape[j] != x.shape[i])
            throw std::invalid_argument("sink must have the shape of x without the axis");
        job.outer.add(x.shape[i],
                      {x.strides[i], job.y ? y.strides[i] : 0, mask.empty() ? 0 : mask[i],
                       job.sink ? adaptation.sink.strides[j] : 0});
        ++j;
    }
    job.x_step = x.strides[axis];
    job.y_step = job.y ? y.strides[axis] : 0;
    job.mask_step = mask.empty() ? 0 : mask[axis];
    return job;
}

} // namespace fastsoftmax
