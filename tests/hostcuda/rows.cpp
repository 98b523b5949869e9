// The row kernels, launched through cuda/api/rows.hpp on the CPU, against float64.
//
// Arguments: "sizes", every variant and type of elements at lengths around the widths of chunks,
// warps and blocks; "options", scale, masks, sinks, layouts; "edges". With "brief", as sanitizers
// run it, one variant of each form, in one schedule.
#include "rows_case.hpp"

#include <string_view>

using namespace fastsoftmax;
using namespace fastsoftmax::cuda;
using hostcuda::Report;

namespace {

constexpr RowsOperation operations[] = {RowsOperation::online, RowsOperation::log_softmax,
                                        RowsOperation::normalizer, RowsOperation::logsumexp};
bool brief = false;

bool is_exact(const Kernel &kernel) { return kernel.variant.name == std::string_view("exact"); }

template <class F> void schedules(const F &f) { hostcuda::each_schedule(f, brief); }

/// f(kernel, type, whether it stands for others) for every variant and type of elements. `exact`,
/// and one variant of each form, stand for all others: in brief, they are all.
template <class F> void each_kernel(const F &f) {
    std::string forms;
    for (const Kernel &kernel : rows_kernels()) {
        if (std::string_view(kernel.op) != "online")
            continue;
        const bool stands = is_exact(kernel) || forms.find(kernel.variant.form) == forms.npos;
        if (brief && !stands)
            continue;
        if (!is_exact(kernel))
            forms += kernel.variant.form;
        if (std::string_view(kernel.dtype) == "float64") {
            f(kernel, Dtype::float64, true);
            continue;
        }
        for (const Dtype dtype : {Dtype::float32, Dtype::float16, Dtype::bfloat16})
            f(kernel, dtype, stands);
    }
}

void sizes(Report &report) {
    const std::int64_t around[] = {1,   2,   3,   4,   5,   8,    15,   16,   17,  31,
                                   32,  33,  63,  65,  127, 128,  129,  255,  256, 257,
                                   511, 513, 640, 777, 960, 1000, 1023, 1024, 1025};
    const std::int64_t longer[] = {2047, 4097, 8200, 16385, 32760, 32768, 32769, 70001};
    schedules([&](const char *schedule) {
        each_kernel([&](const Kernel &kernel, Dtype dtype, bool stands) {
            int turn = 0;
            for (const std::int64_t n : around) {
                RowsCase c(kernel, dtype, operations[turn++ % 4], 5, n);
                c.x_shift = turn % 3;
                c.run(report, schedule);
            }
            for (const std::int64_t n : longer) {
                if (turn++ % (is_exact(kernel) && !brief ? 1 : stands ? 4 : 7) != 0)
                    continue;
                RowsCase(kernel, dtype, operations[turn % 4], 2, n).run(report, schedule);
            }
        });
    });
}

/// f(case) for scale, masks, sinks and layouts, at one length.
template <class F> void each_option(const Kernel &kernel, Dtype dtype, std::int64_t n, const F &f) {
    int turn = static_cast<int>(n % 4); // another operation with each option at each length
    const auto next = [&] { return RowsCase(kernel, dtype, operations[turn++ % 4], 6, n); };
    for (const Mask mask : {Mask::none, Mask::keep, Mask::add})
        for (const bool sink : {false, true}) {
            RowsCase c = next();
            c.mask = mask, c.has_sink = sink, c.scale = sink ? -0.5 : 0.125;
            c.mask_is_broadcast = sink;
            c.x_shift = turn % 4, c.y_shift = turn % 3, c.gap = turn % 2 * 5;
            c.inner_rows = turn % 2 ? 3 : 0;
            f(c);
        }
    RowsCase c = next();
    c.in_place = true, c.x_shift = c.y_shift = 1, c.gap = 3;
    f(c);
    for (const double offset : {100.0, -20000.0, 1e6}) {
        RowsCase far = next();
        far.offset = offset, far.spread = 20;
        far.has_sink = offset > 0;
        f(far);
    }
}

void options(Report &report) {
    schedules([&](const char *schedule) {
        each_kernel([&](const Kernel &kernel, Dtype dtype, bool stands) {
            for (const std::int64_t n : {7, 200, 1502})
                if (brief ? n == 200 : n < 1000 || stands)
                    each_option(kernel, dtype, n, [&](RowsCase &c) { c.run(report, schedule); });
            if (stands && (is_exact(kernel) || dtype == Dtype::float32))
                each_option(kernel, dtype, 33003, [&](RowsCase &c) {
                    c.rows = 3, c.inner_rows = c.inner_rows ? 1 : 0;
                    c.run(report, schedule);
                });
        });
    });
}

/// Rows that have no distribution, or are hard: what number `row` of 12 is.
bool hard_row(std::int64_t row, std::int64_t i, double &logit) {
    const double lowest = std::numeric_limits<float>::lowest(), infinite = HUGE_VAL;
    const bool first = i == 0, second = i == 1;
    switch (row) {
    case 0:
        logit = -infinite;
        break;
    case 1:
        logit = first ? std::nan("") : logit;
        break;
    case 2:
        logit = second ? infinite : logit;
        break;
    case 3:
        logit = first ? std::nan("") : -infinite;
        break;
    case 4:
        logit = first ? std::nan("") : second ? infinite : logit;
        break;
    case 5:
        logit = lowest;
        break;
    case 6:
        logit = first ? 3e38 : lowest;
        break;
    case 7:
        logit = first ? 1 : lowest;
        break;
    case 8:
        logit = first ? 0 : -86.0 - static_cast<double>(i % 40);
        break;
    case 9:
        logit = 0.25;
        break;
    case 10:
        logit = static_cast<double>(i); // every element is a new maximum
        break;
    default:
        logit = -static_cast<double>(i);
    }
    return true;
}

void edges(Report &report) {
    schedules([&](const char *schedule) {
        each_kernel([&](const Kernel &kernel, Dtype dtype, bool stands) {
            for (const std::int64_t n : {2, 40, 300, 1300, 34000}) {
                if (n > 1000 && (!stands || (n > 2000 && dtype == Dtype::bfloat16)))
                    continue;
                if (brief && n != 40 && (n != 34000 || dtype != Dtype::float32))
                    continue;
                for (const RowsOperation operation : operations)
                    for (const double share : {1.0, 0.0}) {
                        RowsCase c(kernel, dtype, operation, 12, n);
                        c.special = hard_row;
                        c.unmasked_share = share;
                        c.mask = share == 1.0 ? Mask::none : n == 40 ? Mask::add : Mask::keep;
                        c.has_sink = n == 300;
                        if (share == 1.0 || n < 1300)
                            c.run(report, schedule);
                    }
            }
        });
    });
}

} // namespace

int main(int count, char **arguments) {
    Report report;
    const std::string_view part = count > 1 ? arguments[1] : "";
    brief = count > 2 && arguments[2] == std::string_view("brief");
    if (part == "sizes")
        sizes(report);
    else if (part == "options")
        options(report);
    else if (part == "edges")
        edges(report);
    return report.finish();
}
