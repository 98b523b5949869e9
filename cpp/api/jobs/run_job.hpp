// Feeds the rows of a job to a kernel, in blocks and ways that layout.hpp chooses, from as many
// threads as are worthwhile.
#pragma once
#include "api/jobs/layout.hpp"
#include "api/jobs/prepared_row.hpp"
#include "api/jobs/shared_rows.hpp"
#include "dispatch/kernel_for.hpp"
#include "dispatch/thread_pool.hpp"

#include <cstring>

namespace fastsoftmax {

template <class T, class Operation>
concept SharesRows = requires(const Operation &operation, T *row, std::size_t n) {
    operation.long_row(row, row, n, n);
};

/// One thread's share of a job. Operation has the kernel, as a KernelFor, and calls it:
///   rows(x, x_stride, y, y_stride, rows, n, number of the first row), strides in elements;
///   columns(arguments, number of the first row) likewise;
///   nothing: what a row gets where its mask has left nothing;
///   clear(number of the row), if there is one: called for such a row, where there is no y;
///   long_row(x, y, n, number of the row), where a row can go block by block: see shared_rows.hpp;
///   from_logits there: whether results are made of the logits, not of the weights.
template <class T, class Operation> class BlockWalk {
  public:
    BlockWalk(const RowsJob<T> &job, const Layout &layout, const Operation &operation)
        : job_(job), layout_(layout), operation_(operation), scratch_(layout.scratch_size),
          block_(by_blocks() ? long_row_block<T> : 0) {}

    /// Rows begin .. end, by their number.
    void run(std::size_t begin, std::size_t end) const {
        job_.outer.each(begin, end, [&](const Offsets &at, std::size_t first, std::size_t rows) {
            for (std::size_t r = 0; r < rows; r += layout_.block)
                block(job_.outer.row(at, r), std::min(layout_.block, rows - r), first + r);
        });
    }

  private:
    static constexpr auto size = static_cast<std::ptrdiff_t>(sizeof(T));

    void block(const Offsets &at, std::size_t rows, std::size_t number) const {
        const void *x = static_cast<const char *>(job_.x) + at[logits];
        void *y = job_.y ? static_cast<char *>(job_.y) + at[results] : nullptr;
        const std::ptrdiff_t x_row = job_.outer.stride(logits), y_row = job_.outer.stride(results);
        T *z = layout_.target == Target::in_place ? static_cast<T *>(y) : scratch_.data();
        const std::size_t length = job_.n + (job_.sink ? 1 : 0);
        T *result = nullptr;
        std::ptrdiff_t stride = 0;
        switch (layout_.way) {
        case Way::rows:
            return operation_.rows(static_cast<const T *>(x), x_row / size, static_cast<T *>(y),
                                   y_row / size, rows, job_.n, number);
        case Way::columns:
            return operation_.columns({static_cast<const T *>(x), job_.x_step / size, z,
                                       layout_.stride, static_cast<T *>(y), job_.y_step / size,
                                       nullptr, nullptr, rows, job_.n},
                                      number);
        case Way::prepared_rows:
            if (by_blocks() && prepared_row(at, x, y, z, number))
                return;
            prepare({x, job_.format, x_row, job_.x_step, job_.scale, mask(at), job_.mask_kind,
                     job_.outer.stride(masks), job_.mask_step, z, layout_.stride, rows, job_.n});
            place_sinks(at, z + job_.n, layout_.stride, rows);
            result = layout_.target == Target::direct ? static_cast<T *>(y) : z;
            stride = layout_.target == Target::direct ? y_row / size : layout_.stride;
            operation_.rows(z, layout_.stride, result, stride, rows, length, number);
            if constexpr (requires { operation_.clear(number); })
                clear_rows(at, rows, number);
            if (y)
                clear_masked(at, result, stride, 1, rows);
            if (y && layout_.target == Target::finished)
                finish({z, layout_.stride, y, job_.format, y_row, job_.y_step, rows, job_.n});
            return;
        case Way::prepared_columns:
            prepare({x, job_.format, job_.x_step, x_row, job_.scale, mask(at), job_.mask_kind,
                     job_.mask_step, job_.outer.stride(masks), z, layout_.stride, job_.n, rows});
            place_sinks(at, z + static_cast<std::ptrdiff_t>(job_.n) * layout_.stride, 1, rows);
            operation_.columns({z, layout_.stride, z, layout_.stride, y ? z : nullptr,
                                layout_.stride, nullptr, nullptr, rows, length},
                               number);
            if (y) {
                clear_masked(at, z, 1, layout_.stride, rows);
                finish({z, layout_.stride, y, job_.format, job_.y_step, y_row, job_.n, rows});
            }
        }
    }

    /// Whether prepared rows may go block by block: long ones.
    bool by_blocks() const {
        return SharesRows<T, Operation> && layout_.way == Way::prepared_rows &&
               layout_.block == 1 && operation_.kernel.has_long_steps() && !job_.sink &&
               is_long_row<T>(job_.n);
    }
    /// False if the row must be taken as a whole; x is as it was then.
    bool prepared_row(const Offsets &at, const void *x, void *y, T *z, std::size_t number) const {
        if constexpr (SharesRows<T, Operation>) {
            const bool in_y = layout_.target == Target::in_place;
            const bool wait = !Operation::from_logits && (in_y || job_.n <= most_waiting<T>);
            if (wait && in_y && x == y)
                return false;
            return PreparedRow<T, Operation>(job_, operation_, static_cast<const char *>(x),
                                             mask(at), static_cast<char *>(y),
                                             wait ? z : block_.data(), wait)
                .run(number);
        }
        return false;
    }

    void prepare(const PrologueArguments<T> &a) const { operation_.kernel.prologue(a); }
    void finish(const EpilogueArguments<T> &a) const { operation_.kernel.epilogue(a); }

    const char *mask(const Offsets &at) const {
        return job_.mask ? static_cast<const char *>(job_.mask) + at[masks] : nullptr;
    }

    /// A sink is one more logit at the end of its row.
    void place_sinks(const Offsets &at, T *z, std::ptrdiff_t stride, std::size_t rows) const {
        if (!job_.sink)
            return;
        const char *sink = reinterpret_cast<const char *>(job_.sink) + at[sinks];
        for (std::size_t r = 0; r < rows; ++r, z += stride, sink += job_.outer.stride(sinks))
            std::memcpy(z, sink, sizeof(T));
    }

    /// Rows of NaN are looked at again: where the mask left nothing, that is no error.
    void clear_masked(const Offsets &at, T *z, std::ptrdiff_t row, std::ptrdiff_t step,
                      std::size_t rows) const {
        if (!job_.mask || job_.n == 0)
            return;
        for (std::size_t r = 0; r < rows; ++r, z += row)
            if (*z != *z &&
                !any_unmasked(mask(at) + static_cast<std::ptrdiff_t>(r) * job_.outer.stride(masks)))
                for (std::size_t i = 0; i < job_.n; ++i)
                    z[static_cast<std::ptrdiff_t>(i) * step] = operation_.nothing;
    }
    void clear_rows(const Offsets &at, std::size_t rows, std::size_t number) const {
        for (std::size_t r = 0; job_.mask && r < rows; ++r)
            if (!any_unmasked(mask(at) + static_cast<std::ptrdiff_t>(r) * job_.outer.stride(masks)))
                operation_.clear(number + r);
    }
    bool any_unmasked(const char *mask) const {
        for (std::size_t i = 0; i < job_.n; ++i, mask += job_.mask_step) {
            if (job_.mask_kind == MaskKind::keep) {
                if (*mask)
                    return true;
                continue;
            }
            T value;
            std::memcpy(&value, mask, sizeof(T));
            if (!(value <= std::numeric_limits<T>::lowest() / 2))
                return true;
        }
        return false;
    }

    const RowsJob<T> &job_;
    const Layout &layout_;
    const Operation &operation_;
    Scratch<T> scratch_, block_;
};

template <class T, class Operation>
void run_job(const RowsJob<T> &job, const Split &split, const Operation &operation) {
    if (job.rows == 0)
        return;
    const Layout layout = layout_of(job, operation.has_columns());
    const int threads = split.of(job.rows, job.n);
    if (threads == 1)
        return BlockWalk<T, Operation>(job, layout, operation).run(0, job.rows);
    if constexpr (SharesRows<T, Operation>) {
        if (layout.way == Way::rows && operation.kernel.has_long_steps() && is_long_row<T>(job.n) &&
            split.shares(job.rows, job.n))
            return share_rows(job, split.of_row(job.n), operation);
    }
    const std::size_t unit = inseparable_rows(job, layout), units = job.rows / unit;
    const std::size_t parts = split.parts(threads, units, unit * job.n * sizeof(T));
    run_parts(static_cast<int>(parts), threads, [&](int part) {
        const auto [begin, end] = share_of(units, parts, static_cast<std::size_t>(part));
        BlockWalk<T, Operation>(job, layout, operation).run(begin * unit, end * unit);
    });
}

} // namespace fastsoftmax
