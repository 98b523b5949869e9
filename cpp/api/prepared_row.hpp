// A long row that must be prepared first (half types, scale, mask, strides) and of which no weights
// are wanted: block by block.
//
// Prepared as a whole, a row would leave L1 before the kernel sees it, and its copy take the place
// of other data in L2. Here a block is prepared and weighed while it is in L1
// (kernels/long_row.hpp); log_softmax, whose results are made of the logits again, prepares it once
// more and converts its results at once. The bits are those of the row as a whole. Time against
// that, float16, AVX-512: logsumexp of 8 x 32768 0.9x and 1 x 1048576 0.6x, log_softmax 0.83x
// and 0.55x. Rejected: the same for softmax, whose weights have to wait in L2 or to be taken twice
// (no gain either way).
#pragma once
#include "dispatch/registry.hpp"
#include "kernels/long_row.hpp"
#include "rows_job.hpp"

namespace fastsoftmax {

template <class T, class Operation> class PreparedRow {
    static constexpr std::size_t size = long_row_block<T>;

  public:
    /// One row: where its logits, its mask and its results are; `block` has room for a block.
    PreparedRow(const RowsJob<T> &job, const KernelRow &kernel, const Operation &operation,
                const char *x, const char *mask, char *y, T *block)
        : job_(job), kernel_(kernel), operation_(operation), x_(x), mask_(mask), y_(y),
          block_(block) {}

    /// False if the row is left to the kernel that takes it alone; nothing is written then.
    bool run(std::size_t number) const {
        const std::size_t count = count_blocks<T>(job_.n);
        const auto states = std::make_unique_for_overwrite<BlockState<T>[]>(count);
        RowTotal<T> total{};
        LongRowArguments<T> a = operation_.long_row(nullptr, nullptr, job_.n, number);
        a.blocks = states.get(), a.total = &total;
        for (std::size_t b = 0; b < count; ++b)
            step(a, LongRowStep::weights, b);
        a.step = LongRowStep::merge;
        kernel_.long_step(&a);
        for (std::size_t b = total.good && y_ ? count : 0; b-- > 0;) { // the last is in cache
            step(a, LongRowStep::results, b);
            finish(b);
        }
        return total.good;
    }

  private:
    std::size_t length(std::size_t b) const { return std::min(size, job_.n - b * size); }

    void step(LongRowArguments<T> &a, LongRowStep step, std::size_t b) const {
        const auto at = static_cast<std::ptrdiff_t>(b * size);
        const char *const mask = mask_ ? mask_ + at * job_.mask_step : nullptr;
        const PrepareArguments<T> logits{
            x_ + at * job_.x_step, job_.format, 0,      job_.x_step, mask, job_.mask_kind, 0,
            job_.mask_step,        job_.scale,  block_, 0,           1,    length(b)};
        kernel_.conversions->prepare(&logits);
        a.step = step, a.begin = b, a.end = b + 1;
        a.x = a.y = block_ - at; // the row of which this block is there
        kernel_.long_step(&a);
    }
    void finish(std::size_t b) const {
        char *const y = y_ + static_cast<std::ptrdiff_t>(b * size) * job_.y_step;
        const FinishArguments<T> a{block_, 0, y, job_.format, 0, job_.y_step, 1, length(b)};
        kernel_.conversions->finish(&a);
    }

    const RowsJob<T> &job_;
    const KernelRow &kernel_;
    const Operation &operation_;
    const char *const x_, *const mask_;
    char *const y_;
    T *const block_;
};

} // namespace fastsoftmax
