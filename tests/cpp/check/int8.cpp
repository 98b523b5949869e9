// The int8 kernels on random rows of mixed lengths, against the formulas, bit for bit.
#include "check/int8.hpp"
#include "check/checks.hpp"

#include <algorithm>
#include <random>

namespace check {
namespace {

using fastsoftmax::ByteTableArguments;
using fastsoftmax::HccsArguments;

/// A batch: rows with gaps between them, off any alignment, perhaps with a mask.
struct Batch {
    std::size_t rows, n;
    std::ptrdiff_t stride, mask_stride;
    std::vector<std::int8_t> x;
    std::vector<std::uint8_t> mask;
    bool masked;

    const std::int8_t *row(std::size_t r) const {
        return x.data() + 1 + static_cast<std::ptrdiff_t>(r) * stride;
    }
    const std::uint8_t *mask_row(std::size_t r) const {
        return masked ? mask.data() + 1 + static_cast<std::ptrdiff_t>(r) * mask_stride : nullptr;
    }
    std::string name() const {
        return std::to_string(rows) + " x " + std::to_string(n) + (masked ? " masked" : "");
    }
};

class Random {
  public:
    int below(int n) { return static_cast<int>(engine_() % static_cast<unsigned>(n)); }
    int between(int low, int high) { return low + below(high - low + 1); }
    double normal() { return normal_(engine_); }

  private:
    std::mt19937 engine_{20260402};
    std::normal_distribution<double> normal_;
};

std::int8_t logit(Random &g, int kind) {
    const int sigma[] = {0, 3, 24, 60};
    if (kind < 4)
        return static_cast<std::int8_t>(std::clamp(sigma[kind] * g.normal(), -128.0, 127.0));
    if (kind == 4)
        return static_cast<std::int8_t>(g.between(-128, 127));
    return g.below(2) ? -128 : 127;
}

Batch batch(Random &g, std::size_t n) {
    const int most = n > 2000 ? 2 : n > 300 ? 18 : 70;
    const std::size_t rows = static_cast<std::size_t>(g.between(1, most));
    const auto stride = static_cast<std::ptrdiff_t>(n + static_cast<std::size_t>(g.below(4)));
    const int masking = g.below(6); // 0: every row its own, 1: one mask for all, others: none
    Batch b{rows, n, stride, masking == 1 ? 0 : stride, {}, {}, masking < 2};
    const std::size_t size = 1 + rows * static_cast<std::size_t>(stride);
    b.x.assign(size, 127);
    b.mask.assign(b.masked ? size : 0, 1);
    for (std::size_t r = 0; r < rows; ++r) {
        const int kind = g.below(6), keep = g.below(5);
        for (std::size_t i = 0; i < n; ++i) {
            const auto at = 1 + r * static_cast<std::size_t>(stride) + i;
            b.x[at] = logit(g, kind);
            if (b.masked) // keep 0: nothing, 4: everything
                b.mask[at] = g.below(4) < keep ? static_cast<std::uint8_t>(g.between(1, 255)) : 0;
        }
    }
    return b;
}

/// Mostly short, so that a million of them take seconds; vectors have up to 64 elements.
std::size_t length(Random &g) {
    const int kind = g.below(128);
    const int most = kind < 90 ? 20 : kind < 120 ? 80 : kind < 127 ? 300 : 1100;
    return static_cast<std::size_t>(g.below(40) ? g.between(1, most) : 32 << g.below(5));
}

/// Parameters that satisfy the conditions of the paper (Z of 15 bits), or those of `wide`.
HccsArguments parameters(Random &g, std::size_t n, bool wide) {
    HccsArguments a{};
    const int most =
        wide ? static_cast<int>(std::min<std::size_t>(32767, ((std::size_t{1} << 31) - 1) / n))
             : static_cast<int>(32767 / n);
    a.B = g.below(3) ? most - g.below(std::min(most, 3)) : g.between(1, most);
    a.Dmax = g.between(0, wide ? 255 : 127);
    a.S = a.Dmax ? std::min(g.between(0, (a.B - 1) / a.Dmax), wide ? 32767 : 127) : g.below(100);
    return a;
}

ByteTableArguments table(Random &g) {
    const double scale = std::exp(-0.5 - 0.05 * g.below(120)) * (g.below(20) ? 1 : 20);
    ByteTableArguments a{};
    for (int i = 0; i < 16; ++i) {
        a.A[i] = static_cast<std::int16_t>(std::lrint(32767 * std::exp(-16 * scale * i)));
        a.B[i] = static_cast<std::int16_t>(std::lrint(32767 * std::exp(-scale * i)));
    }
    return a;
}

template <class Out, class Arguments>
void compare(const Batch &b, const Kernel &kernel, Arguments a,
             const std::vector<std::vector<int>> &wanted, Report &report) {
    constexpr Out untouched = 113;
    const std::ptrdiff_t gap = 3, stride = static_cast<std::ptrdiff_t>(b.n) + gap;
    std::vector<Out> y(1 + b.rows * static_cast<std::size_t>(stride), untouched);
    a.x = b.row(0);
    a.x_stride = b.stride;
    a.mask = b.mask_row(0);
    a.mask_stride = b.mask_stride;
    a.y = y.data() + 1;
    a.y_stride = stride;
    a.rows = b.rows;
    a.n = b.n;
    run(kernel, a, report);
    for (std::size_t r = 0; r < b.rows; ++r)
        for (std::size_t i = 0; i < static_cast<std::size_t>(stride); ++i) {
            const int got = y[1 + r * static_cast<std::size_t>(stride) + i];
            const int want = i < b.n ? wanted[r][i] : untouched;
            if (got != want)
                return report.fail(
                    kernel, b.name() + (a.bytes ? " bytes" : " words"),
                    text("row %.0f place %.0f: got %.0f, wanted %.0f", r, i, got, want));
        }
}

using Rows = std::vector<const Kernel *>;

/// One operation and variant on every ISA, in one type of result.
template <class Arguments, class F>
void check_variant(const Batch &b, const Rows &kernels, Arguments a, const F &formula,
                   Report &report) {
    std::vector<std::vector<int>> wanted;
    for (std::size_t r = 0; r < b.rows; ++r)
        wanted.push_back(formula(distances(b.row(r), b.mask_row(r), b.n), a));
    for (const Kernel *kernel : kernels)
        if (a.bytes)
            compare<std::uint8_t>(b, *kernel, a, wanted, report);
        else
            compare<std::int16_t>(b, *kernel, a, wanted, report);
}

void check_batch(const Batch &b, Random &g, const std::map<std::string, Rows> &variants,
                 Report &report) {
    for (const auto &[name, kernels] : variants) {
        const std::string variant = kernels.front()->variant.name;
        const bool bytes = g.below(2) != 0;
        if (kernels.front()->op == std::string(HccsArguments::op)) {
            const bool wide = variant == "wide";
            if (!wide && b.n > 32767)
                continue;
            HccsArguments a = parameters(g, b.n, wide);
            a.bytes = wide ? bytes : variant.starts_with("i8");
            const auto formula = [&](const auto &d, const auto &p) {
                return hccs_row(variant, d, p);
            };
            check_variant(b, kernels, a, formula, report);
        } else {
            ByteTableArguments a = table(g);
            a.bytes = bytes;
            const auto formula = [&](const auto &d, const auto &p) {
                return table_row(variant == "u16", d, p);
            };
            check_variant(b, kernels, a, formula, report);
        }
    }
}

} // namespace

void check_int8(std::size_t rows, Report &report) {
    std::map<std::string, Rows> variants;
    for (const fastsoftmax::Isa &isa : fastsoftmax::all_isas())
        for (const Kernel &kernel : isa.kernels) {
            if (!isa.available || std::string_view(kernel.dtype) != "int8")
                continue;
            const std::string_view op = kernel.op;
            if (op == HccsArguments::op || op == ByteTableArguments::op)
                variants[std::string(op) + "/" + kernel.variant.name].push_back(&kernel);
            else
                report.fail(kernel, "table", "kernel_check knows no such operation");
        }
    Random g;
    for (std::size_t done = 0; done < rows;) {
        const Batch b = batch(g, length(g));
        check_batch(b, g, variants, report);
        done += b.rows;
    }
    for (const std::size_t n : {5000, 20000, 65536, 65537, 70001, 200000})
        check_batch(batch(g, n), g, variants, report);
    // one weight outweighs all others: what is halved in between must not be less than it
    for (const std::size_t n : {65537, 131073}) {
        Batch b{1, n, static_cast<std::ptrdiff_t>(n), 0, {}, {}, false};
        b.x.assign(1 + n, -128);
        b.x[1 + n / 2] = 127;
        for (int turn = 0; turn < 4; ++turn) // each with results of a kind that is drawn
            check_batch(b, g, variants, report);
    }
}

} // namespace check
