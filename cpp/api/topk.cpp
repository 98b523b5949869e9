// Top-k of softmax on arrays of any layout: up to 64 by the kernel that reads a row once; more of
// them by `online` and a partial sort.
#include "api/jobs/rows_job.hpp"
#include "api/jobs/run_job.hpp"
#include "fastsoftmax/fastsoftmax.hpp"
#include "kernels/arguments.hpp"

#include <cmath>
#include <numeric>

namespace fastsoftmax {
namespace {

constexpr std::size_t most_fused = 64; ///< what kernels/operations/top_list.hpp keeps

/// What both ways have in common: k results for each row.
template <class T> struct Results {
    std::size_t k;
    T *p;
    std::int64_t *index;

    /// Kernels have no form for rows that are columns: run_job gathers them.
    static constexpr bool has_columns() { return false; }
    void columns(const ColumnsArguments<T> &, std::size_t) const {}
    void clear(std::size_t row) const { std::fill_n(p + row * k, k, T(0)); }
    T nothing = 0;
};

template <class T> struct Fused : Results<T> {
    KernelFor<TopkArguments<T>> kernel;

    void rows(const T *x, std::ptrdiff_t x_stride, T *, std::ptrdiff_t, std::size_t rows,
              std::size_t n, std::size_t first) const {
        const std::size_t at = first * this->k;
        kernel({x, x_stride, rows, n, this->p + at, this->index + at, this->k});
    }
};

template <class T> struct Sorted : Results<T> {
    KernelFor<OnlineArguments<T>> kernel;

    void rows(const T *x, std::ptrdiff_t x_stride, T *, std::ptrdiff_t, std::size_t rows,
              std::size_t n, std::size_t first) const {
        // a copy: std::nth_element leaves its array where another thread changes what it compares
        std::vector<T> own(n), y(n);
        std::vector<std::int64_t> order(n);
        for (std::size_t r = 0; r < rows; ++r, x += x_stride) {
            std::copy_n(x, n, own.begin());
            kernel({own.data(), 0, y.data(), 0, 1, n});
            sort(own.data(), order);
            for (std::size_t i = 0, at = (first + r) * this->k; i < this->k; ++i, ++at) {
                this->index[at] = order[i];
                this->p[at] = y[static_cast<std::size_t>(order[i])];
            }
        }
    }

  private:
    /// The first k places are in order then, as the kernel would have them.
    void sort(const T *x, std::vector<std::int64_t> &order) const {
        std::iota(order.begin(), order.end(), 0);
        const auto before = [x](std::int64_t i, std::int64_t j) {
            const T a = flushed(x[i]), b = flushed(x[j]);
            if (a != b && (a == a || b == b))
                return a > b || b != b;
            return i < j;
        };
        const auto end = order.begin() + static_cast<std::ptrdiff_t>(this->k);
        std::nth_element(order.begin(), end - 1, order.end(), before);
        std::sort(order.begin(), end, before);
    }
    /// Kernels count denormals as zero.
    static T flushed(T x) { return std::fpclassify(x) == FP_SUBNORMAL ? T(0) : x; }
};

/// k results for each row, in the type that they are computed in.
template <class T>
void find(const RowsJob<T> &job, std::size_t k, T *p, std::int64_t *index, const Options &options) {
    const auto kernel = kernel_for<TopkArguments<T>>(options.variant, options.isa);
    const Split split = split_for(kernel.lanes(), options, job.rows * job.n);
    if (k == 0)
        return;
    if (k <= most_fused)
        return run_job(job, split, Fused<T>{{k, p, index}, kernel});
    const auto softmax = kernel_for<OnlineArguments<T>>(options.variant, options.isa);
    run_job(job, split, Sorted<T>{{k, p, index}, softmax});
}

} // namespace

template <class E>
void topk(Array<const E> x, std::size_t k, E *p, std::int64_t *index, std::size_t axis,
          Options options, const Adaptation<Computed<E>> &adaptation) {
    using T = Computed<E>;
    if (adaptation.sink.data)
        throw std::invalid_argument("topk knows no sink");
    const RowsJob<T> job = rows_job<E>(x, {}, axis, adaptation);
    if (k > job.n)
        throw std::invalid_argument("k is " + std::to_string(k) + ", but the axis has " +
                                    std::to_string(job.n) + " elements");
    checked_bytes("k places for each row", {job.rows, k, sizeof(std::int64_t)});
    if (k > most_fused)
        checked_bytes("all places of a row", {job.n, sizeof(std::int64_t)});
    if constexpr (std::is_same_v<E, T>) {
        find<T>(job, k, p, index, options);
    } else {
        const std::size_t count = job.rows * k;
        const auto wide = std::make_unique_for_overwrite<T[]>(count);
        find<T>(job, k, wide.get(), index, options);
        kernel_for<TopkArguments<T>>(options.variant, options.isa)
            .epilogue({wide.get(), 0, p, format_of<E>, 0, static_cast<std::ptrdiff_t>(sizeof(E)), 1,
                       count});
    }
}

template void topk<float>(Array<const float>, std::size_t, float *, std::int64_t *, std::size_t,
                          Options, const Adaptation<float> &);
template void topk<double>(Array<const double>, std::size_t, double *, std::int64_t *, std::size_t,
                           Options, const Adaptation<double> &);
template void topk<float16>(Array<const float16>, std::size_t, float16 *, std::int64_t *,
                            std::size_t, Options, const Adaptation<float> &);
template void topk<bfloat16>(Array<const bfloat16>, std::size_t, bfloat16 *, std::int64_t *,
                             std::size_t, Options, const Adaptation<float> &);

} // namespace fastsoftmax
