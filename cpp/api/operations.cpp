// The operations on arrays of any layout: choose the kernel, feed it the rows.
#include "api/jobs/rows_job.hpp"
#include "api/jobs/run_job.hpp"
#include "dispatch/kernel_for.hpp"
#include "fastsoftmax/fastsoftmax.hpp"
#include "kernels/arguments.hpp"
#include "kernels/rows/shared_row.hpp"

#include <cmath>

namespace fastsoftmax {

namespace {

/// Calls a kernel that writes a row for each row.
template <class Arguments> struct Map {
    using T = typename Arguments::scalar;
    static constexpr bool from_logits = std::same_as<Arguments, LogSoftmaxArguments<T>>;
    KernelFor<Arguments> kernel;
    T nothing;

    bool has_columns() const { return kernel.has_columns(); }
    void rows(const T *x, std::ptrdiff_t x_stride, T *y, std::ptrdiff_t y_stride, std::size_t rows,
              std::size_t n, std::size_t) const {
        kernel({x, x_stride, y, y_stride, rows, n});
    }
    void columns(const ColumnsArguments<T> &a, std::size_t) const { kernel.columns(a); }
    LongRowArguments<T> long_row(const T *x, T *y, std::size_t n, std::size_t) const {
        return {.x = x, .y = y, .n = n};
    }
};

/// Calls a kernel that gives a state (m, s) for each row; without s, its logarithm.
template <class Arguments> class Reduce {
    using T = typename Arguments::scalar;
    T *m, *s;

  public:
    KernelFor<Arguments> kernel;
    static constexpr T nothing = 0;
    static constexpr bool from_logits = true;

    Reduce(KernelFor<Arguments> kernel, T *m, T *s) : m(m), s(s), kernel(kernel) {}

    bool has_columns() const { return kernel.has_columns(); }
    void rows(const T *x, std::ptrdiff_t x_stride, T *, std::ptrdiff_t, std::size_t rows,
              std::size_t n, std::size_t first) const {
        kernel({x, x_stride, rows, n, m + first, sums(first)});
    }
    void columns(ColumnsArguments<T> a, std::size_t first) const {
        a.m = m + first, a.s = sums(first);
        kernel.columns(a);
    }
    LongRowArguments<T> long_row(const T *x, T *, std::size_t n, std::size_t first) const {
        return {.x = x, .n = n, .m = m + first, .s = sums(first)};
    }

  private:
    T *sums(std::size_t first) const { return s ? s + first : nullptr; }
};

template <template <class> class Arguments, class E>
void map(Array<const E> x, Array<E> y, std::size_t axis, const Options &options,
         const Adaptation<Computed<E>> &adaptation, double nothing) {
    using T = Computed<E>;
    using Call = Map<Arguments<T>>;
    const auto kernel = kernel_for<Arguments<T>>(options.variant, options.isa);
    if (!std::ranges::equal(x.shape, y.shape))
        throw std::invalid_argument("x and y differ in shape");
    if (axis < x.shape.size() && x.shape[axis] == 0)
        return; // however many rows there are, nothing is in them
    RowsJob<T> job = rows_job<E>(x, y, axis, adaptation);
    job.outer.put_nearest_last();
    run_job(job, split_for(kernel.lanes(), options, job.rows * job.n),
            Call{kernel, static_cast<T>(nothing)});
}

template <template <class> class Arguments, class E>
void reduce(Array<const E> x, Computed<E> *m, Computed<E> *s, std::size_t axis,
            const Options &options, const Adaptation<Computed<E>> &adaptation) {
    using T = Computed<E>;
    const auto kernel = kernel_for<Arguments<T>>(options.variant, options.isa);
    const RowsJob<T> job = rows_job<E>(x, {}, axis, adaptation);
    run_job(job, split_for(kernel.lanes(), options, job.rows * job.n),
            Reduce<Arguments<T>>{kernel, m, s});
}

} // namespace

template <class E>
void online(Array<const E> x, Array<E> y, std::size_t axis, Options options,
            const Adaptation<Computed<E>> &adaptation) {
    map<OnlineArguments, E>(x, y, axis, options, adaptation, 0);
}

template <class E>
void log_softmax(Array<const E> x, Array<E> y, std::size_t axis, Options options,
                 const Adaptation<Computed<E>> &adaptation) {
    map<LogSoftmaxArguments, E>(x, y, axis, options, adaptation, -HUGE_VAL);
}

template <class E>
void normalizer(Array<const E> x, Computed<E> *m, Computed<E> *s, std::size_t axis, Options options,
                const Adaptation<Computed<E>> &adaptation) {
    reduce<NormalizerArguments, E>(x, m, s, axis, options, adaptation);
}

template <class E>
void logsumexp(Array<const E> x, Computed<E> *out, std::size_t axis, Options options,
               const Adaptation<Computed<E>> &adaptation) {
    reduce<NormalizerArguments, E>(x, out, nullptr, axis, options, adaptation);
}

template <class T> void scan(Array<const T> x, T *m, T *s, std::size_t axis, Options options) {
    reduce<ScanArguments, T>(x, m, s, axis, options, {});
}

#define FS_INSTANTIATE(E)                                                                          \
    template void online<E>(Array<const E>, Array<E>, std::size_t, Options,                        \
                            const Adaptation<Computed<E>> &);                                      \
    template void log_softmax<E>(Array<const E>, Array<E>, std::size_t, Options,                   \
                                 const Adaptation<Computed<E>> &);                                 \
    template void normalizer<E>(Array<const E>, Computed<E> *, Computed<E> *, std::size_t,         \
                                Options, const Adaptation<Computed<E>> &);                         \
    template void logsumexp<E>(Array<const E>, Computed<E> *, std::size_t, Options,                \
                               const Adaptation<Computed<E>> &);
FS_INSTANTIATE(float)
FS_INSTANTIATE(double)
FS_INSTANTIATE(float16)
FS_INSTANTIATE(bfloat16)
template void scan<float>(Array<const float>, float *, float *, std::size_t, Options);
template void scan<double>(Array<const double>, double *, double *, std::size_t, Options);

} // namespace fastsoftmax
