// What was run, how far off it was, and what failed.
#pragma once
#include "dispatch/registry.hpp"

#include <cstdio>
#include <map>
#include <string>
#include <vector>

namespace check {

using fastsoftmax::Kernel;

std::string id_of(const Kernel &kernel);

/// printf for numbers, all taken as double.
template <class... Numbers> std::string text(const char *format, Numbers... numbers) {
    char buffer[200];
    std::snprintf(buffer, sizeof buffer, format, static_cast<double>(numbers)...);
    return buffer;
}

class Report {
  public:
    /// A kernel ran; `what` and `error` go into the summary where they are worse than before.
    void ran(const Kernel &kernel);
    void error(const Kernel &kernel, const char *what, double error);
    void fail(const std::string &text);
    void fail(const Kernel &kernel, const std::string &where, const std::string &text);

    /// Prints the summary of every ISA and all failures.
    void print() const;
    std::size_t kernels_run(const fastsoftmax::Isa &isa) const;
    std::size_t failures() const { return failures_; }

  private:
    struct Entry {
        std::size_t calls = 0;
        std::map<std::string, double> worst;
    };
    std::map<const Kernel *, Entry> entries_;
    std::map<std::string, int> failures_of_;
    std::vector<std::string> texts_;
    std::size_t failures_ = 0;
};

/// The largest error of a loop; NaN counts as the largest.
class Largest {
  public:
    void add(double error) {
        if (!(error <= value_))
            value_ = error;
    }
    double value() const { return value_; }

  private:
    double value_ = 0;
};

} // namespace check
