// Walks the table of kernels and checks every one that this CPU runs against a wider reference.
//
//   kernel_check [--smoke | --brief | --long] [--require ISA]...
//
// --long adds rows of 2^24 elements and big batches; --brief leaves out most rows, for emulators;
// --smoke all but those with a poisoned or lone element at each place: whether every kernel runs.
// --require fails if that ISA can't run here. An operation that no check knows, and an ISA of which
// nothing was run, are failures, too.
#include "check/checks.hpp"

#include <cstdio>
#include <functional>
#include <string>
#include <vector>

namespace {

using check::Kernel;
using check::Report;

template <class F> void each_kernel(const char *dtype, const F &f) {
    for (const fastsoftmax::Isa &isa : fastsoftmax::all_isas())
        if (isa.available)
            for (const Kernel &kernel : isa.kernels)
                if (std::string(kernel.dtype) == dtype)
                    f(kernel);
}

template <class T> void check_once(const char *dtype, Report &report) {
    each_kernel(dtype, [&](const Kernel &kernel) {
        const auto &checks = check::OperationChecks::of<T>(kernel.op);
        if (checks.once)
            checks.once(kernel, report);
        else if (!checks.on_case)
            report.fail(kernel, "table", "kernel_check knows no such operation");
    });
}

template <class T>
void check_cases(const char *dtype, const std::vector<check::Case<T>> &cases, Report &report) {
    for (const check::Case<T> &data : cases) {
        check::Context<T> context(data);
        each_kernel(dtype, [&](const Kernel &kernel) {
            if (const auto on_case = check::OperationChecks::of<T>(kernel.op).on_case)
                on_case(context, kernel, report);
            check::check_columns(context, kernel, report);
            check::check_long_row(context, kernel, report);
        });
    }
}

enum class Extent { smoke, brief, usual, with_long_rows };

template <class T> void check_dtype(const char *dtype, Extent extent, Report &report) {
    check_once<T>(dtype, report);
    const bool brief = extent <= Extent::brief;
    check_cases<T>(dtype, check::positional_cases<T>(brief), report);
    if (extent != Extent::smoke)
        check_cases<T>(dtype, check::ordinary_cases<T>(brief), report);
    if (extent == Extent::with_long_rows)
        check_cases<T>(dtype, check::long_cases<T>(), report);
}

} // namespace

int main(int count, char **arguments) {
    Extent extent = Extent::usual;
    std::vector<std::string> required;
    for (int i = 1; i < count; ++i) {
        const std::string argument = arguments[i];
        if (argument == "--long") {
            extent = Extent::with_long_rows;
        } else if (argument == "--brief") {
            extent = Extent::brief;
        } else if (argument == "--smoke") {
            extent = Extent::smoke;
        } else if (argument == "--require" && i + 1 < count) {
            required.emplace_back(arguments[++i]);
        } else {
            std::fprintf(stderr,
                         "usage: kernel_check [--smoke | --brief | --long] [--require ISA]...\n");
            return 2;
        }
    }
    Report report;
    check::check_dispatch(report);
    check::check_layouts(report);
    check::check_sizes(report);
    check_dtype<float>("float32", extent, report);
    check_dtype<double>("float64", extent, report);
    check::check_reciprocal(report);
    check::check_int8(extent <= Extent::brief ? 5000 : 1000000, report);

    std::size_t isas_run = 0;
    for (const fastsoftmax::Isa &isa : fastsoftmax::all_isas()) {
        const std::size_t run = report.kernels_run(isa);
        isas_run += run > 0;
        if (isa.available && run != isa.kernels.size())
            report.fail(std::string(isa.name) + ": only " + std::to_string(run) + " of " +
                        std::to_string(isa.kernels.size()) + " kernels were run");
        std::erase_if(required, [&](const std::string &name) { return name == isa.name && run; });
    }
    for (const std::string &name : required)
        report.fail("--require " + name + ": it can't run here, or there is no such ISA");
    report.print();
    std::printf("kernel_check: %zu ISAs run, %zu failures\n", isas_run, report.failures());
    return report.failures() == 0 ? 0 : 1;
}
