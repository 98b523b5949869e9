#include "check/report.hpp"

#include <algorithm>
#include <cstdio>

namespace check {
namespace {

constexpr int texts_per_kernel = 3;

std::string short_name(const Kernel &row) {
    const std::string name = row.variant.name;
    return std::string_view(row.dtype) == "float64" ? name + "(f64)" : name;
}

} // namespace

std::string id_of(const Kernel &row) {
    return std::string(row.op) + "/" + row.variant.name + "/" + row.isa + " " + row.dtype;
}

void Report::ran(const Kernel &row) { ++entries_[&row].calls; }

void Report::error(const Kernel &row, const char *what, double error) {
    double &worst = entries_[&row].worst[what];
    worst = std::max(worst, error);
}

void Report::fail(const std::string &text) {
    ++failures_;
    texts_.push_back(text);
}

void Report::fail(const Kernel &row, const std::string &where, const std::string &text) {
    ++failures_;
    const std::string id = id_of(row);
    if (++failures_of_[id] <= texts_per_kernel)
        texts_.push_back(id + ", " + where + ": " + text);
}

std::size_t Report::rows_run(const fastsoftmax::Isa &isa) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        isa.kernels, [this](const Kernel &row) { return entries_.contains(&row); }));
}

void Report::print() const {
    struct Summary {
        std::size_t rows = 0, calls = 0;
        std::map<std::string, std::string> worst; // of what: "variant error" ...
    };
    for (const fastsoftmax::Isa &isa : fastsoftmax::all_isas()) {
        std::printf("%s: %zu of %zu rows run%s\n", isa.name, rows_run(isa), isa.kernels.size(),
                    isa.available ? "" : " (this CPU can't)");
        std::map<std::string, Summary> operations;
        for (const Kernel &row : isa.kernels) {
            const auto entry = entries_.find(&row);
            if (entry == entries_.end())
                continue;
            Summary &summary = operations[row.op];
            ++summary.rows;
            summary.calls += entry->second.calls;
            for (const auto &[what, error] : entry->second.worst)
                summary.worst[what]
                    .append(1, ' ')
                    .append(short_name(row))
                    .append(text(" %.2g", error));
        }
        for (const auto &[op, summary] : operations) {
            std::printf("  %s: %zu rows, %zu calls\n", op.c_str(), summary.rows, summary.calls);
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
