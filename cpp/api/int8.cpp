// The int8 operations on arrays: check everything, choose the kernel, feed it the rows.
#include "fastsoftmax/int8.hpp"
#include "api/jobs/lie_apart.hpp"
#include "api/jobs/outer_loop.hpp"
#include "api/jobs/split.hpp"
#include "common/int8_exp_table.hpp"
#include "dispatch/kernel_for.hpp"
#include "dispatch/thread_pool.hpp"
#include "kernels/arguments.hpp"

#include <cmath>
#include <cstring>

namespace fastsoftmax::int8 {
namespace {

template <class T> const T &at(const T *data, std::ptrdiff_t bytes) {
    return *reinterpret_cast<const T *>(reinterpret_cast<const char *>(data) + bytes);
}

/// The rows of a call and how many they are.
struct Rows {
    OuterLoop walk;
    std::size_t count;
};

template <class Out, class P>
Rows rows_of(Array<const std::int8_t> x, Array<const P> parameters, Mask mask, Array<Out> y) {
    const std::size_t dimensions = x.shape.size();
    if (dimensions == 0)
        throw std::invalid_argument("x has no dimension");
    const bool alike = std::ranges::equal(x.shape, y.shape) &&
                       (!mask.data || std::ranges::equal(x.shape, mask.shape)) &&
                       std::ranges::equal(x.shape.first(dimensions - 1), parameters.shape);
    if (!alike)
        throw std::invalid_argument("x, mask, y and parameters differ in shape");
    const std::size_t last = dimensions - 1;
    const auto adjacent = [&](std::ptrdiff_t stride, std::size_t size) {
        return x.shape[last] <= 1 || stride == static_cast<std::ptrdiff_t>(size);
    };
    if (!adjacent(x.strides[last], 1) || !adjacent(y.strides[last], sizeof(Out)) ||
        (mask.data && !adjacent(mask.strides[last], 1)))
        throw std::invalid_argument("the elements of a row don't lie side by side");
    for (std::size_t i = 0; i < last; ++i)
        if (y.shape[i] > 1 && y.strides[i] % static_cast<std::ptrdiff_t>(sizeof(Out)) != 0)
            throw std::invalid_argument("rows of y are misaligned");
    Rows rows{{}, count_rows(x.shape, last, sizeof(Out))}; // refuses sizes that wrap
    if (!lie_apart(y.shape, y.strides, sizeof(Out)))
        throw std::invalid_argument("elements of y don't lie apart: a stride is too short");
    for (std::size_t i = 0; i < last; ++i)
        rows.walk.add(x.shape[i], {x.strides[i], y.strides[i], mask.data ? mask.strides[i] : 0,
                                   parameters.strides[i]});
    rows.walk.part_where_differs(Operand::parameters);
    return rows;
}

/// Runs the kernel on groups of rows with the same parameters; `fill` puts those at an offset into
/// its arguments.
template <class Arguments, class Out, class F>
void run(Array<const std::int8_t> x, Mask mask, Array<Out> y, const Rows &rows,
         KernelFor<Arguments> kernel, const Options &options, const F &fill) {
    const std::size_t n = x.shape.back(), all = rows.count;
    if (n == 0 || all == 0)
        return;
    const auto walk = [&](std::size_t begin, std::size_t end) {
        Arguments a{};
        a.x_stride = rows.walk.stride(logits);
        a.mask_stride = rows.walk.stride(masks);
        a.y_stride = rows.walk.stride(results) / static_cast<std::ptrdiff_t>(sizeof(Out));
        a.n = n;
        a.bytes = sizeof(Out) == 1;
        rows.walk.each(begin, end, [&](const Offsets &at, std::size_t, std::size_t count) {
            a.x = x.data + at[logits];
            a.mask = mask.data ? mask.data + at[masks] : nullptr;
            a.y = reinterpret_cast<char *>(y.data) + at[results];
            a.rows = count;
            fill(a, at[Operand::parameters]);
            kernel(a);
        });
    };
    // an element takes 2 ns on one lane, 0.1 ns on sixty-four
    const int most = split_for(kernel.lanes(), options, all * n, 8192).most;
    const std::size_t parts = std::min(all, static_cast<std::size_t>(std::max(most, 1)));
    if (parts == 1)
        return walk(0, all);
    run_parts(static_cast<int>(parts), static_cast<int>(parts), [&](int part) {
        const auto [begin, end] = share_of(all, parts, static_cast<std::size_t>(part));
        walk(begin, end);
    });
}

/// Calls check(parameters) for those of every group of rows.
template <class P, class F>
void each_parameters(const Rows &rows, Array<const P> parameters, const F &check) {
    rows.walk.each(0, rows.count, [&](const Offsets &offsets, std::size_t, std::size_t) {
        check(at(parameters.data, offsets[Operand::parameters]));
    });
}

} // namespace

std::string problem_of(const Head &head, std::string_view mode, std::size_t n) {
    const std::int64_t b = head.B, s = head.S, d = head.Dmax, f = b - s * d;
    const bool wide = mode == "wide";
    const std::int64_t most = wide ? 32767 : 127;
    const auto rows = static_cast<std::int64_t>(
        std::min<std::size_t>(n, std::size_t{1} << 32)); // as good as any longer
    const auto said = [&](const char *condition) {
        return std::string(condition) + " (got B = " + std::to_string(b) +
               ", S = " + std::to_string(s) + ", Dmax = " + std::to_string(d) +
               ", n = " + std::to_string(n) + ")";
    };
    if (b < (wide ? 1 : 0) || b > 32767)
        return said(wide ? "1 <= B <= 32767" : "0 <= B <= 32767");
    if (s < 0 || s > most)
        return said(wide ? "0 <= S <= 32767" : "0 <= S <= 127");
    if (d < 0 || d > (wide ? 255 : 127))
        return said(wide ? "0 <= Dmax <= 255" : "0 <= Dmax <= 127");
    if (f < (wide ? 1 : 0))
        return said(wide ? "B - S*Dmax >= 1" : "B - S*Dmax >= 0");
    if (!wide && rows * f < 256)
        return said("n*(B - S*Dmax) >= 256");
    if (rows * b > (wide ? 2147483647 : 32767))
        return said(wide ? "n*B < 2^31" : "n*B <= 32767");
    return "";
}

template <class Out>
void hccs(Array<const std::int8_t> x, Array<const Head> heads, Mask mask, Array<Out> y,
          Options options) {
    const auto kernel = kernel_for<HccsArguments>(options.variant, options.isa);
    check_threads(options.threads);
    const bool words = options.variant.starts_with("i16"),
               bytes = options.variant.starts_with("i8");
    if (sizeof(Out) == 1 ? words : bytes)
        throw std::invalid_argument("mode '" + std::string(options.variant) + "' gives " +
                                    (words ? "int16" : "uint8"));
    const Rows rows = rows_of(x, heads, mask, y);
    const std::size_t n = x.shape.back();
    if (n == 0)
        return;
    each_parameters(rows, heads, [&](const Head &head) {
        const std::string problem = problem_of(head, options.variant, n);
        if (!problem.empty())
            throw std::invalid_argument("parameters violate " + problem);
    });
    run(x, mask, y, rows, kernel, options, [&](HccsArguments &a, std::ptrdiff_t offset) {
        const Head &head = at(heads.data, offset);
        a.B = head.B;
        a.S = head.S;
        a.Dmax = head.Dmax;
    });
}

template <class Out>
void softmax(Array<const std::int8_t> x, Array<const double> scales, Mask mask, Array<Out> y,
             Options options) {
    const auto kernel = kernel_for<ByteTableArguments>(options.variant, options.isa);
    check_threads(options.threads);
    const Rows rows = rows_of(x, scales, mask, y);
    each_parameters(rows, scales, [](double scale) {
        if (!(scale > 0) || !std::isfinite(scale))
            throw std::invalid_argument("scale must be finite and above 0; got " +
                                        std::to_string(scale));
    });
    run(x, mask, y, rows, kernel, options, [&](ByteTableArguments &a, std::ptrdiff_t offset) {
        fill_exp_factors(a.A, a.B, at(scales.data, offset));
    });
}

#define FS_INSTANTIATE(Out)                                                                        \
    template void hccs<Out>(Array<const std::int8_t>, Array<const Head>, Mask, Array<Out>,         \
                            Options);                                                              \
    template void softmax<Out>(Array<const std::int8_t>, Array<const double>, Mask, Array<Out>,    \
                               Options);
FS_INSTANTIATE(std::uint8_t)
FS_INSTANTIATE(std::int16_t)

} // namespace fastsoftmax::int8
