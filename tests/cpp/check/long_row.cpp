// Rows that threads share: the steps of kernels/rows/shared_row.hpp give the bits that the kernel
// gives alone, whoever takes which blocks, and in whatever order.
#include "check/checks.hpp"
#include "kernels/rows/shared_row.hpp"

#include <cstring>
#include <string_view>

namespace check {
namespace {

using fastsoftmax::LongRowArguments;
using fastsoftmax::LongRowStep;

/// Takes the blocks of a step as `threads` threads might, the last share first.
template <class T>
void shared(const Kernel &kernel, LongRowArguments<T> a, LongRowStep step, std::size_t threads) {
    const std::size_t blocks = fastsoftmax::count_blocks<T>(a.n);
    a.step = step;
    for (std::size_t i = threads; i-- > 0;) {
        a.begin = blocks * i / threads;
        a.end = blocks * (i + 1) / threads;
        fastsoftmax::KernelForms<T>(kernel).long_step(a);
    }
}

/// False if the row is left to the kernel that takes it alone.
template <class T>
bool step_by_step(const Kernel &kernel, LongRowArguments<T> a, std::size_t threads) {
    std::vector<fastsoftmax::BlockState<T>> blocks(fastsoftmax::count_blocks<T>(a.n));
    fastsoftmax::RowTotal<T> total{};
    a.blocks = blocks.data(), a.total = &total;
    if (a.x == a.y) {
        shared(kernel, a, LongRowStep::maxima, threads);
        a.step = LongRowStep::look;
        fastsoftmax::KernelForms<T>(kernel).long_step(a);
        if (!total.good)
            return false;
    }
    shared(kernel, a, LongRowStep::weights, threads);
    a.step = LongRowStep::merge;
    fastsoftmax::KernelForms<T>(kernel).long_step(a);
    if (total.good && a.y)
        shared(kernel, a, LongRowStep::results, threads);
    return total.good;
}

template <class T> class LongRow {
  public:
    LongRow(Context<T> &context, const Kernel &kernel, std::size_t r, Report &report)
        : row_(kernel), data_(context.data), ordinary_(context.truth[r].ordinary()), r_(r),
          report_(report) {}

    template <class Arguments> void map() const {
        const T *x = data_.row(r_);
        std::vector<T> alone(data_.n), y(data_.n), inside(x, x + data_.n);
        run(row_, Arguments{x, 0, alone.data(), 0, 1, data_.n}, report_);
        compare(step_by_step<T>(row_, {.x = x, .y = y.data(), .n = data_.n}, 3), alone, y,
                "in three shares");
        run(row_, Arguments{inside.data(), 0, inside.data(), 0, 1, data_.n}, report_);
        const std::vector<T> alone_inside = inside;
        inside.assign(x, x + data_.n);
        const bool good =
            step_by_step<T>(row_, {.x = inside.data(), .y = inside.data(), .n = data_.n}, 2);
        compare(good, alone_inside, inside, "in two shares in place");
    }
    void reduce() const {
        const T *x = data_.row(r_);
        std::vector<T> alone(3), shared(3);
        const auto both = [&](bool sums, std::size_t at) {
            T *s = sums ? &alone[at + 1] : nullptr;
            run(row_, fastsoftmax::NormalizerArguments<T>{x, 0, 1, data_.n, &alone[at], s},
                report_);
            s = sums ? &shared[at + 1] : nullptr;
            return step_by_step<T>(row_, {.x = x, .n = data_.n, .m = &shared[at], .s = s}, 3);
        };
        const bool good = both(true, 0) && both(false, 2);
        compare(good, alone, shared, "in three shares");
    }

  private:
    void compare(bool good, const std::vector<T> &alone, const std::vector<T> &shared,
                 const char *how) const {
        const bool same =
            !good || std::memcmp(alone.data(), shared.data(), alone.size() * sizeof(T)) == 0;
        if (!same || (good && !ordinary_))
            report_.fail(row_, data_.name + ", n = " + std::to_string(data_.n),
                         same ? "is no row to be shared" : std::string("gives other bits ") + how);
    }

    const Kernel &row_;
    const Case<T> &data_;
    const bool ordinary_;
    const std::size_t r_;
    Report &report_;
};

} // namespace

template <class T> void check_long_row(Context<T> &context, const Kernel &kernel, Report &report) {
    if (!kernel.long_step || !fastsoftmax::is_long_row<T>(context.data.n))
        return;
    for (std::size_t r = 0; r < context.data.rows; ++r) {
        const LongRow<T> long_row(context, kernel, r, report);
        if (kernel.op == std::string_view("online"))
            long_row.template map<fastsoftmax::OnlineArguments<T>>();
        else if (kernel.op == std::string_view("log_softmax"))
            long_row.template map<fastsoftmax::LogSoftmaxArguments<T>>();
        else if (kernel.op == std::string_view("normalizer"))
            long_row.reduce();
        else
            report.fail(kernel, "table", "has steps of long rows that no check knows");
    }
}

template void check_long_row(Context<float> &, const Kernel &, Report &);
template void check_long_row(Context<double> &, const Kernel &, Report &);

} // namespace check
