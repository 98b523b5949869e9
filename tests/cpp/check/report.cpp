#include "check/report.hpp"

#include <algorithm>
#include <cstdio>

namespace check {
namespace {

constexpr int texts_per_kernel = 3;

std::string short_name(const Kernel &kernel) {
    const std::string name = kernel.variant.name;
    return std::string_view(kernel.dtype) == "float64" ? name + "(f64)" : name;
}

} // namespace

std::string id_of(const Kernel &kernel) {
    return std::string(kernel.op) + "/" + kernel.variant.name + "/" + kernel.isa + " " +
           kernel.dtype;
}

void Report::ran(const Kernel &kernel) { ++entries_[&kernel].calls; }

void Report::error(const Kernel &kernel, const char *what, double error) {
    double &worst = entries_[&kernel].worst[what];
    worst = std::max(worst, error);
}

void Report::fail(const std::string &text) {
    ++failures_;
    texts_.push_back(text);
}

void Report::fail(const Kernel &kernel, const std::string &where, const std::string &text) {
    ++failures_;
    const std::string id = id_of(kernel);
    if (++failures_of_[id] <= texts_per_kernel)
        texts_.push_back(id + ", " + where + ": " + text);
}

std::size_t Report::kernels_run(const fastsoftmax::Isa &isa) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        isa.kernels, [this](const Kernel &kernel) { return entries_.contains(&kernel); }));
}

void Report::print() const {
    struct Summary {
        std::size_t kernels = 0, calls = 0;
        std::map<std::string, std::string> worst; // of what: "variant error" ...
    };
    for (const fastsoftmax::Isa &isa : fastsoftmax::all_isas()) {
        std::printf("%s: %zu of %zu kernels run%s\n", isa.name, kernels_run(isa),
                    isa.kernels.size(), isa.available ? "" : " (this CPU can't)");
        std::map<std::string, Summary> operations;
        for (const Kernel &kernel : isa.kernels) {
            const auto entry = entries_.find(&kernel);
            if (entry == entries_.end())
                continue;
            Summary &summary = operations[kernel.op];
            ++summary.kernels;
            summary.calls += entry->second.calls;
            for (const auto &[what, error] : entry->second.worst)
                summary.worst[what]
                    .append(1, ' ')
                    .append(short_name(kernel))
                    .append(text(" %.2g", error));
        }
        for (const auto &[op, summary] : operations) {
            std::printf("  %s: %zu kernels, %zu calls\n", op.c_str(), summary.kernels,
                        summary.calls);
            for (const auto &[what, list] : summary.worst)
                std::printf("    %s:%s\n", what.c_str(), list.c_str());
        }
    }
    for (const std::string &text : texts_)
        std::printf("FAILED %s\n", text.c_str());
    if (failures_ > texts_.size())
        std::printf("... and %zu more failures\n", failures_ - texts_.size());
}

} // namespace check
