// The registry keeps to its own rules, and what can't be run is refused with a list of what can.
#include "check/checks.hpp"
#include "fastsoftmax/fastsoftmax.hpp"
#include "fastsoftmax/int8.hpp"

#include <cmath>
#include <set>
#include <stdexcept>

namespace check {
namespace {

void check_table(Report &report) {
    std::set<std::string> seen;
    for (const fastsoftmax::Isa &isa : fastsoftmax::all_isas())
        for (const Kernel &kernel : isa.kernels) {
            const auto &v = kernel.variant;
            if (!seen.insert(id_of(kernel)).second)
                report.fail(kernel, "table", "occurs twice");
            if (std::string(kernel.isa) != isa.name)
                report.fail(kernel, "table", "stands under another ISA");
            const bool raw = std::string_view(v.rescale) == "nothing";
            if (!raw && !(kernel.bound > 0 && kernel.bound < 1 && v.bound > 0 && v.bound < 1))
                report.fail(kernel, "table", "claims no bound");
            if (!raw && v.tail != 0)
                report.fail(kernel, "table", "leaves a weight below its domain");
            if (kernel.lanes < 1 || !kernel.run || !(v.domain < 0) || !*v.source)
                report.fail(kernel, "table", "is incomplete");
        }
    if (fastsoftmax::kernels().size() != seen.size())
        report.fail("kernels() has another length than the table");
}

template <class F>
void refuses(Report &report, const char *what, const std::string &mentions, const F &f) {
    try {
        f();
    } catch (const std::invalid_argument &error) {
        if (std::string(error.what()).find(mentions) == std::string::npos)
            report.fail(std::string(what) + " is refused without mention of '" + mentions +
                        "': " + error.what());
        return;
    }
    report.fail(std::string(what) + " is not refused");
}

void check_refusals(Report &report) {
    const std::vector<float> x(8, 1.0f);
    const std::vector<double> x64(8, 1.0);
    std::vector<float> y(8, -1.0f);
    std::vector<double> y64(8, -1.0);
    const auto softmax = [&](fastsoftmax::Options options) {
        fastsoftmax::online(x.data(), y.data(), 2, 4, options);
    };
    refuses(report, "an unknown variant", "exact", [&] { softmax({.variant = "exakt"}); });
    refuses(report, "an unknown ISA", "scalar", [&] { softmax({.isa = "sse9"}); });
    refuses(report, "an empty variant", "exact", [&] { softmax({.variant = ""}); });
    for (const fastsoftmax::Isa &isa : fastsoftmax::all_isas())
        if (!isa.available)
            refuses(report, "an ISA that this CPU lacks", "scalar",
                    [&] { softmax({.isa = isa.name}); });
    for (const std::string &variant : fastsoftmax::variants("online"))
        if (!fastsoftmax::find_kernel("online", variant, "float64"))
            refuses(report, "a variant without float64", "exact", [&] {
                fastsoftmax::online(x64.data(), y64.data(), 2, 4, {.variant = variant});
            });
    const std::size_t shape[] = {2, 4};
    const std::ptrdiff_t whole[] = {16, 4}, windows[] = {4, 4}, bytes[] = {4, 1};
    refuses(report, "a y whose elements share memory", "lie apart", [&] {
        fastsoftmax::online<float>({x.data(), shape, whole}, {y.data(), shape, windows}, 1);
    });
    const std::int8_t quantised[8] = {};
    std::uint8_t small[8] = {};
    const double scale = 1;
    const std::ptrdiff_t one[] = {1, 1}, none[] = {0};
    refuses(report, "a y of bytes that share memory", "lie apart", [&] {
        fastsoftmax::int8::softmax<std::uint8_t>({quantised, shape, bytes},
                                                 {&scale, {shape, 1}, none}, {},
                                                 {small, shape, one}, {.variant = "u8"});
    });
    if (y != std::vector<float>(8, -1.0f) || y64 != std::vector<double>(8, -1.0))
        report.fail("a refused call writes");
    softmax({});
    for (const float p : y)
        if (p != 0.25f)
            report.fail("the softmax of four equal values isn't 1/4");
}

/// A caller that flushes denormals itself finds that mode again, too (its own setting is kept).
void check_mode(Report &report) {
    const auto before = float_mode();
    set_float_mode(before | flush_bits);
    const std::vector<float> x(37, 1.0f);
    std::vector<float> y(37);
    for (const std::string &isa : fastsoftmax::isas()) {
        if (!fastsoftmax::find_kernel("online", "exact", "float32", isa))
            continue;
        fastsoftmax::online(x.data(), y.data(), 1, 37, {.isa = isa});
        if (float_mode() != (before | flush_bits))
            report.fail("online/exact/" + isa + " ends the caller's flush-to-zero mode");
    }
    set_float_mode(before);
}

} // namespace

void check_dispatch(Report &report) {
    check_table(report);
    check_refusals(report);
    check_mode(report);
}

} // namespace check
