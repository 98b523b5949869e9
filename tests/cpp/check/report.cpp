#include "check/report.hpp"

#include <algorithm>
#include <cstdio>

namespace check {
namespace {

constexpr int texts_per_kernel = 3;

std::string short_name(const KernelRow &row) {
    const std::string name = row.variant.name;
    return std::string_view(row.dtype) == "float64" ? name + "(f64)" : name;
}

} // namespace

std::string id_of(const KernelRow &row) {
    return std::string(row.op) + "/" + row.variant.name + "/" + row.isa + " " + row.dtype;
}

void Report::ran(const KernelRow &row) { ++entries_[{row.isa, row.op}][short_name(row)].calls; }

void Report::error(const KernelRow &row, const char *what, double error) {
    double &worst = entries_[{row.isa, row.op}][short_name(row)].worst[what];
    worst = std::max(worst, error);
}

void Report::fail(const std::string &text) {
    ++failures_;
    texts_.push_back(text);
}

void Report::fail(const KernelRow &row, const std::string &where, const std::string &text) {
    ++failures_;
    const std::string id = id_of(row);
    if (++failures_of_[id] <= texts_per_kernel)
        texts_.push_back(id + ", " + where + ": " + text);
}

std::size_t Report::rows_run(const std::string &isa) const {
    std::size_t rows = 0;
    for (const auto &[key, variants] : entries_)
        if (key.first == isa)
            rows += variants.size();
    return rows;
}

void Report::print() const {
    for (const fastsoftmax::Isa &isa : fastsoftmax::all_isas()) {
        std::printf("%s: %zu of %zu rows run%s\n", isa.name, rows_run(isa.name), isa.rows.size(),
                    isa.available ? "" : " (this CPU can't)");
        for (const auto &[key, variants] : entries_) {
            if (key.first != isa.name)
                continue;
            std::size_t calls = 0;
            std::map<std::string, std::string> worst;
            for (const auto &[name, entry] : variants) {
                calls += entry.calls;
                for (const auto &[what, error] : entry.worst) {
                    char text[64];
                    std::snprintf(text, sizeof text, " %s %.2g", name.c_str(), error);
                    worst[what] += text;
                }
            }
            std::printf("  %-10s %zu rows, %zu calls\n", key.second.c_str(), variants.size(),
                        calls);
            for (const auto &[what, list] : worst)
                std::printf("    %s:%s\n", what.c_str(), list.c_str());
        }
    }
    for (const std::string &text : texts_)
        std::printf("FAILED %s\n", text.c_str());
    if (failures_ > texts_.size())
        std::printf("... and %zu more failures\n", failures_ - texts_.size());
}

} // namespace check
