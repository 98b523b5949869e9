// A long row that must be prepared first (half types, scale, mask, strides): block by block.
//
// Prepared as a whole, a row would leave L1 before the kernel sees it, and its copy take the place
// of other data in L2. Here a block is prepared and weighed while it is in L1
// (kernels/rows/shared_row.hpp). Results of the weights (softmax): the weights wait in scratch
// space, or in y, until the row's sum is known; where they would crowd x and y out of L2 they are
// taken a second time instead, from the prepared block. Results of the logits (log_softmax): the
// block is prepared once more. The bits are those of the row as a whole.
//
// `python bench/run.py --only halves` has its times beside torch.softmax's.
#pragma once
#include "api/jobs/rows_job.hpp"
#include "dispatch/kernel_for.hpp"
#include "kernels/rows/shared_row.hpp"

namespace fastsoftmax {

/// Elements of a row whose weights wait: float32 of half of an L2 cache of 2 MiB.
template <class T> inline constexpr std::size_t most_waiting = (std::size_t{1} << 20) / sizeof(T);

template <class T, class Operation> class PreparedRow {
    static constexpr std::size_t size = long_row_block<T>;

  public:
    /// One row: where its logits, its mask and its results are. `space` has room for the row's
    /// weights where they wait, else for a block.
    PreparedRow(const RowsJob<T> &job, const Operation &operation, const char *x, const char *mask,
                char *y, T *space, bool wait)
        : job_(job), operation_(operation), x_(x), mask_(mask), y_(y), space_(space), wait_(wait) {}

    /// False if the row is left to the kernel that takes it alone; no result is written then.
    bool run(std::size_t number) const {
        const std::size_t count = count_blocks<T>(job_.n);
        const auto states = std::make_unique_for_overwrite<BlockState<T>[]>(count);
        RowTotal<T> total{};
        LongRowArguments<T> a = operation_.long_row(nullptr, nullptr, job_.n, number);
        a.blocks = states.get(), a.total = &total;
        for (std::size_t b = 0; b < count; ++b) {
            prepare(a, b);
            if (!Operation::from_logits) // the weights replace the logits
                step(a, LongRowStep::maxima);
            step(a, LongRowStep::weights);
        }
        step(a, LongRowStep::merge);
        for (std::size_t b = total.good && y_ ? count : 0; b-- > 0;) { // the last is in cache
            if (wait_)
                choose(a, b);
            else
                prepare(a, b);
            if (Operation::from_logits)
                step(a, LongRowStep::results);
            else if (!wait_)
                step(a, LongRowStep::weights);
            finish(b, Operation::from_logits ? 1 : block_factor(a.blocks[b], total));
        }
        return total.good;
    }

  private:
    std::size_t length(std::size_t b) const { return std::min(size, job_.n - b * size); }
    T *room(std::size_t b) const { return wait_ ? space_ + b * size : space_; }

    /// Makes the arguments those of the row of which block b is there.
    void choose(LongRowArguments<T> &a, std::size_t b) const {
        a.begin = b, a.end = b + 1;
        a.x = a.y = room(b) - static_cast<std::ptrdiff_t>(b * size);
    }
    void prepare(LongRowArguments<T> &a, std::size_t b) const {
        choose(a, b);
        const auto at = static_cast<std::ptrdiff_t>(b * size);
        const char *const mask = mask_ ? mask_ + at * job_.mask_step : nullptr;
        const PrologueArguments<T> logits{
            x_ + at * job_.x_step, job_.format, 0, job_.x_step, job_.scale, mask, job_.mask_kind, 0,
            job_.mask_step,        room(b),     0, 1,           length(b)};
        operation_.kernel.prologue(logits);
    }
    void step(LongRowArguments<T> &a, LongRowStep step) const {
        a.step = step;
        operation_.kernel.long_step(a);
    }
    void finish(std::size_t b, T factor) const {
        char *const y = y_ + static_cast<std::ptrdiff_t>(b * size) * job_.y_step;
        const EpilogueArguments<T> a{room(b),     0, y,         job_.format, 0,
                                     job_.y_step, 1, length(b), factor};
        operation_.kernel.epilogue(a);
    }

    const RowsJob<T> &job_;
    const Operation &operation_;
    const char *const x_, *const mask_;
    char *const y_;
    T *const space_;
    const bool wait_;
};

} // namespace fastsoftmax
