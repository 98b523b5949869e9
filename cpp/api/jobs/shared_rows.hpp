// Rows too long, or too few, to go to one thread each: threads share a row, block by block.
//
// The kernel takes a row step by step (kernels/rows/shared_row.hpp), threads take blocks, and
// between two steps all wait for the last one. The bits are those of the kernel that takes the row
// alone: its blocks are the same, and one thread merges their states, in order. A row that blocks
// can't do (an extreme logit, NaN, +inf) goes to that kernel after all. Time of two threads against
// one: docs/performance.md, Threads.
#pragma once
#include "api/jobs/rows_job.hpp"
#include "api/jobs/split.hpp"
#include "dispatch/kernel_for.hpp"
#include "dispatch/thread_pool.hpp"
#include "kernels/rows/shared_row.hpp"

#include <memory>
#include <tuple>

namespace fastsoftmax {

template <class Arguments> class SharedRow {
    using T = typename Arguments::scalar;

  public:
    SharedRow(KernelFor<Arguments> kernel, int threads, std::size_t n)
        : kernel_(kernel), threads_(threads), count_(count_blocks<T>(n)),
          blocks_(std::make_unique_for_overwrite<BlockState<T>[]>(count_)) {}

    /// False if the row is left to the kernel that takes it alone.
    bool run(LongRowArguments<T> a) const {
        RowTotal<T> total{};
        a.blocks = blocks_.get(), a.total = &total;
        if (a.x == a.y) {
            shared(a, LongRowStep::maxima);
            alone(a, LongRowStep::look);
            if (!total.good)
                return false;
        }
        shared(a, LongRowStep::weights);
        alone(a, LongRowStep::merge);
        if (total.good && a.y)
            shared(a, LongRowStep::results);
        return total.good;
    }

  private:
    void alone(LongRowArguments<T> a, LongRowStep step) const {
        a.step = step;
        kernel_.long_step(a);
    }
    void shared(const LongRowArguments<T> &row, LongRowStep step) const {
        const std::size_t parts = std::min<std::size_t>(count_, static_cast<std::size_t>(threads_));
        run_parts(static_cast<int>(parts), threads_, [&](int part) {
            LongRowArguments<T> a = row;
            a.step = step;
            std::tie(a.begin, a.end) = share_of(count_, parts, static_cast<std::size_t>(part));
            kernel_.long_step(a);
        });
    }

    const KernelFor<Arguments> kernel_;
    const int threads_;
    const std::size_t count_;
    const std::unique_ptr<BlockState<T>[]> blocks_;
};

/// All rows of a job, one after another. The operation's long_row(x, y, n, number of the row) gives
/// the arguments without blocks.
template <class T, class Operation>
void share_rows(const RowsJob<T> &job, int threads, const Operation &operation) {
    const SharedRow shared(operation.kernel, threads, job.n);
    job.outer.each(0, job.rows, [&](const Offsets &offsets, std::size_t first, std::size_t rows) {
        for (std::size_t r = 0; r < rows; ++r) {
            const Offsets at = job.outer.row(offsets, r);
            const auto *x =
                reinterpret_cast<const T *>(static_cast<const char *>(job.x) + at[logits]);
            auto *y =
                job.y ? reinterpret_cast<T *>(static_cast<char *>(job.y) + at[results]) : nullptr;
            if (!shared.run(operation.long_row(x, y, job.n, first + r)))
                operation.rows(x, 0, y, 0, 1, job.n, first + r);
        }
    });
}

} // namespace fastsoftmax
