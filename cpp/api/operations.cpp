// The operations on arrays of any layout: choose the kernel, feed it the rows.
#include "dispatch/registry.hpp"
#include "dispatch/thread_count.hpp"
#include "each_block.hpp"
#include "fastsoftmax/fastsoftmax.hpp"
#include "kernels/arguments.hpp"

#include <cmath>

namespace fastsoftmax {
namespace {

Split split_for(const KernelRow &kernel, const Options &options) {
    if (options.threads < 0)
        throw std::invalid_argument("threads must be at least 1, or 0 for the default; got " +
                                    std::to_string(options.threads));
    if (options.threads == 0 && !threads_problem().empty())
        throw std::invalid_argument(threads_problem());
    // an element takes 4 ns on one lane, 0.3 ns on sixteen
    const auto worthwhile = std::size_t{4096} * static_cast<std::size_t>(kernel.lanes);
    return {options.threads == 0 ? default_threads() : options.threads, worthwhile};
}

/// Runs an operation that gives a state (m, s) for each row.
template <class Arguments, class T>
void reduce(Array<const T> x, T *m, T *s, std::size_t axis, const Options &options) {
    const KernelRow &kernel =
        choose_kernel(Arguments::op, options.variant, dtype_name<T>, options.isa);
    each_block<T>(x, {}, axis, split_for(kernel, options),
                  [&](const T *data, std::ptrdiff_t stride, T *, std::ptrdiff_t, std::size_t rows,
                      std::size_t first) {
                      call(kernel,
                           Arguments{data, stride, rows, x.shape[axis], m + first, s + first});
                  });
}

} // namespace

template <class T> void online(Array<const T> x, Array<T> y, std::size_t axis, Options options) {
    if (!std::ranges::equal(x.shape, y.shape))
        throw std::invalid_argument("x and y differ in shape");
    const KernelRow &kernel = choose_kernel("online", options.variant, dtype_name<T>, options.isa);
    if (axis < x.shape.size() && x.shape[axis] == 0)
        return; // however many rows there are, nothing is in them
    each_block<T>(
        x, y, axis, split_for(kernel, options),
        [&](const T *from, std::ptrdiff_t from_stride, T *to, std::ptrdiff_t to_stride,
            std::size_t rows, std::size_t) {
            call(kernel, OnlineArguments<T>{from, from_stride, to, to_stride, rows, x.shape[axis]});
        });
}

template <class T>
void normalizer(Array<const T> x, T *m, T *s, std::size_t axis, Options options) {
    reduce<NormalizerArguments<T>>(x, m, s, axis, options);
}

template <class T> void scan(Array<const T> x, T *m, T *s, std::size_t axis, Options options) {
    reduce<ScanArguments<T>>(x, m, s, axis, options);
}

template <class T> void logsumexp(Array<const T> x, T *out, std::size_t axis, Options options) {
    const std::size_t rows = count_rows(x.shape, axis, sizeof(T));
    const auto s = std::make_unique_for_overwrite<T[]>(rows);
    normalizer<T>(x, out, s.get(), axis, options);
    for (std::size_t r = 0; r < rows; ++r)
        if (std::isfinite(out[r])) // an infinite or NaN maximum is the result already
            out[r] = static_cast<T>(out[r] + std::log(static_cast<double>(s[r])));
}

#define FS_INSTANTIATE(T)                                                                          \
    template void online<T>(Array<const T>, Array<T>, std::size_t, Options);                       \
    template void normalizer<T>(Array<const T>, T *, T *, std::size_t, Options);                   \
    template void logsumexp<T>(Array<const T>, T *, std::size_t, Options);                         \
    template void scan<T>(Array<const T>, T *, T *, std::size_t, Options);
FS_INSTANTIATE(float)
FS_INSTANTIATE(double)

} // namespace fastsoftmax
