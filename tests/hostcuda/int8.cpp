// The int8 kernels, launched through cuda/api_int8.hpp on the CPU, against the formulas, bit for
// bit.
//
// With "brief", as sanitizers run it, fewer shapes.
#include "report.hpp"

#include "../cpp/check/int8.hpp"
#include "api_int8.hpp"

#include <algorithm>
#include <random>
#include <string_view>

using namespace fastsoftmax::cuda;
using hostcuda::Memory;
using hostcuda::Report;

namespace {

class Random {
    std::mt19937 engine_{20260402};
    std::normal_distribution<double> normal_;

  public:
    int below(int n) { return static_cast<int>(engine_() % static_cast<unsigned>(n)); }
    int between(int low, int high) { return low + below(high - low + 1); }
    std::int8_t logit(int kind) {
        const int sigma[] = {0, 3, 24, 60};
        if (kind < 4)
            return static_cast<std::int8_t>(
                std::clamp(sigma[kind] * normal_(engine_), -128.0, 127.0));
        if (kind == 4)
            return static_cast<std::int8_t>(between(-128, 127));
        return below(2) ? -128 : 127;
    }
};

/// How rows lie: several dimensions, gaps, off any alignment.
struct Shape {
    std::int64_t outer, inner, n; ///< rows are outer * inner
    std::int64_t gap;             ///< elements between rows
    std::size_t shift;            ///< of the first element from an aligned address
    enum { unmasked, own_mask, shared_mask } masking;
    bool per_row; ///< parameters differ from row to row, else between the outer ones

    std::int64_t rows() const { return outer * inner; }
    std::int64_t stride() const { return n + gap; }
    std::string name() const {
        return std::to_string(outer) + " x " + std::to_string(inner) + " x " + std::to_string(n) +
               " gap " + std::to_string(gap) + " shift " + std::to_string(shift) +
               (masking == unmasked   ? ""
                : masking == own_mask ? " masked"
                                      : " one mask") +
               (per_row ? " per row" : "");
    }
};

class Batch {
    const Shape shape_;
    Memory<std::int8_t> x_;
    Memory<std::uint8_t> mask_;

  public:
    Batch(Random &g, const Shape &shape)
        : shape_(shape), x_(static_cast<std::size_t>(size()), shape.shift),
          mask_(static_cast<std::size_t>(mask_size()), shape.shift) {
        for (std::int64_t r = 0; r < shape.rows(); ++r) {
            const int kind = g.below(6);
            for (std::int64_t i = 0; i < shape.n; ++i)
                row(r)[i] = g.logit(kind);
        }
        for (std::int64_t at = 0; at < mask_size(); at += shape.n) {
            const int keep = g.below(5); // 0: nothing, 4: everything
            for (std::int64_t i = at; i < std::min(at + shape.n, mask_size()); ++i)
                mask_[static_cast<std::size_t>(i)] =
                    g.below(4) < keep ? static_cast<std::uint8_t>(g.between(1, 255)) : 0;
        }
    }
    const Shape &shape() const { return shape_; }
    std::int8_t *row(std::int64_t r) { return x_.data() + r * shape_.stride(); }
    const std::uint8_t *mask(std::int64_t r) {
        return shape_.masking == Shape::unmasked      ? nullptr
               : shape_.masking == Shape::shared_mask ? mask_.data()
                                                      : mask_.data() + r * shape_.stride();
    }
    std::vector<int> distances(std::int64_t r) {
        return check::distances(row(r), mask(r), static_cast<std::size_t>(shape_.n));
    }
    /// Arguments but the result, with parameters for each row or each of `outer`.
    Int8Arguments arguments() {
        Int8Arguments a{};
        const std::int64_t inner = shape_.stride(), outer = shape_.inner * inner;
        a.dims = 2;
        a.extent[0] = shape_.outer;
        a.extent[1] = shape_.inner;
        a.n = shape_.n;
        a.x = x_.data();
        a.mask = mask(0);
        a.x_at = a.mask_at = {{outer, inner}, 1};
        if (shape_.masking == Shape::shared_mask)
            a.mask_at = {{0, 0}, 1};
        if (shape_.outer == 1) { // one dimension, as vectors of 16 bytes need it
            a.dims = 1;
            a.extent[0] = shape_.inner;
            a.x_at.outer[0] = inner;
            a.mask_at.outer[0] = a.mask_at.outer[1];
        }
        a.rows_per_group = shape_.per_row ? 1 : shape_.inner;
        a.groups = shape_.per_row ? shape_.rows() : shape_.outer;
        return a;
    }
    std::size_t group_of(std::int64_t r) const {
        return static_cast<std::size_t>(shape_.per_row ? r : r / shape_.inner);
    }

  private:
    std::int64_t size() const { return (shape_.rows() - 1) * shape_.stride() + shape_.n; }
    std::int64_t mask_size() const { return shape_.masking == Shape::own_mask ? size() : shape_.n; }
};

/// Launches, and compares with wanted(row).
template <class Out, class Launch, class Wanted>
void compare(Batch &b, const std::string &name, const Launch &launch, const Wanted &wanted,
             Report &report) {
    const Shape &shape = b.shape();
    constexpr Out untouched = 113;
    Memory<Out> y(static_cast<std::size_t>((shape.rows() - 1) * shape.stride() + shape.n),
                  shape.shift);
    std::fill_n(y.data(), y.size(), untouched);
    Int8Arguments a = b.arguments();
    a.y = y.data();
    a.y_at = a.x_at;
    a.bytes = sizeof(Out) == 1;
    const int error = launch(a);
    std::string wrong = error ? "error " + std::to_string(error) : "";
    for (std::int64_t r = 0; r < shape.rows() && wrong.empty(); ++r) {
        const std::vector<int> want = wanted(r);
        for (std::int64_t i = 0;
             i < std::min(shape.stride(), static_cast<std::int64_t>(y.size()) - r * shape.stride());
             ++i) {
            const int got = y.data()[r * shape.stride() + i];
            const int right = i < shape.n ? want[static_cast<std::size_t>(i)] : untouched;
            if (got != right) {
                wrong = "row " + std::to_string(r) + " place " + std::to_string(i) + ": got " +
                        std::to_string(got) + ", wanted " + std::to_string(right);
                break;
            }
        }
    }
    report.check(wrong.empty(), name + ", " + shape.name() + ": " + wrong);
}

/// Parameters that satisfy the conditions of the paper (Z of 15 bits), or those of `wide`.
HccsHead head_for(Random &g, std::int64_t n, bool wide) {
    const int most = static_cast<int>(
        wide ? std::min<std::int64_t>(32767, ((std::int64_t{1} << 31) - 1) / n) : 32767 / n);
    HccsHead head{};
    head.B = g.below(3) ? most - g.below(std::min(most, 3)) : g.between(1, most);
    head.Dmax = g.between(0, wide ? 255 : 127);
    head.S = head.Dmax ? std::min(g.between(0, (head.B - 1) / head.Dmax), wide ? 32767 : 127)
                       : g.below(100);
    return head;
}

void check_hccs(Batch &b, Random &g, const char *mode, bool bytes, const std::string &name,
                Report &report) {
    const Shape &shape = b.shape();
    const bool wide = mode == std::string_view("wide");
    if (!wide && shape.n > 32767)
        return;
    const auto groups = static_cast<std::size_t>(b.arguments().groups);
    Memory<HccsHead> heads(groups);
    for (std::size_t i = 0; i < groups; ++i)
        heads[i] = head_for(g, shape.n, wide);
    const auto launch = [&](const Int8Arguments &a) {
        return launch_hccs(a, static_cast<HccsMode>(hccs_mode(mode)), heads[0],
                           groups > 1 ? heads.data() : nullptr);
    };
    const auto wanted = [&](std::int64_t r) {
        fastsoftmax::HccsArguments p{};
        const HccsHead &head = heads[b.group_of(r)];
        p.B = head.B;
        p.S = head.S;
        p.Dmax = head.Dmax;
        p.bytes = bytes;
        return check::hccs_row(mode, b.distances(r), p);
    };
    if (bytes)
        compare<std::uint8_t>(b, name, launch, wanted, report);
    else
        compare<std::int16_t>(b, name, launch, wanted, report);
}

void check_table(Batch &b, Random &g, const char *table, bool bytes, const std::string &name,
                 Report &report) {
    const auto groups = static_cast<std::size_t>(b.arguments().groups);
    Memory<ExpFactors> factors(groups);
    for (std::size_t i = 0; i < groups; ++i)
        fill_exp_factors(factors[i], std::exp(-0.5 - 0.05 * g.below(120)) * (g.below(20) ? 1 : 20));
    const auto launch = [&](const Int8Arguments &a) {
        return launch_exp_table(a, static_cast<ExpTable>(exp_table(table)), factors[0],
                                groups > 1 ? factors.data() : nullptr);
    };
    const auto wanted = [&](std::int64_t r) {
        fastsoftmax::ByteTableArguments p{};
        std::copy_n(factors[b.group_of(r)].A, 16, p.A);
        std::copy_n(factors[b.group_of(r)].B, 16, p.B);
        p.bytes = bytes;
        return check::table_row(table == std::string_view("u16"), b.distances(r), p);
    };
    if (bytes)
        compare<std::uint8_t>(b, name, launch, wanted, report);
    else
        compare<std::int16_t>(b, name, launch, wanted, report);
}

/// Every mode and table, in every type of result that it has.
void check_all(Batch &b, Random &g, const std::string &schedule, Report &report) {
    const Kernels all = int8_kernels();
    for (int i = 0; i < all.count; ++i) {
        const std::string_view op = all.rows[i].op;
        const char *variant = all.rows[i].variant.name;
        const std::string name = schedule + ": " + std::string(op) + "/" + variant;
        const std::string_view v = variant;
        for (const bool bytes : {false, true})
            if (op == "int8")
                check_table(b, g, variant, bytes, name, report);
            else if (v == "wide" || v.starts_with("i8") == bytes)
                check_hccs(b, g, variant, bytes, name, report);
    }
}

/// Whole vectors, in each class of kernel.
void aligned_rows(Random &g, const std::string &schedule, bool brief, Report &report) {
    for (const std::int64_t n : {16, 32, 48, 64, 80, 128, 256, 512, 1024, 1040, 2048}) {
        if (brief && n != 32 && n != 64 && n != 512)
            continue;
        const std::int64_t rows = n < 100 ? 70 : 9;
        Batch b(g, {1, rows, n, g.below(2) * 16, 0, Shape::unmasked, false});
        check_all(b, g, schedule, report);
    }
}

/// Any length and layout, masks, and parameters that differ between rows.
void any_rows(Random &g, const std::string &schedule, bool brief, Report &report) {
    std::vector<std::int64_t> lengths = {1, 2, 5, 15, 17, 77, 500, 513, 2100};
    if (!brief)
        lengths.insert(lengths.end(), {3, 16, 31, 33, 47, 65, 130, 197, 300, 512, 520, 1100, 2049});
    for (const std::int64_t n : lengths)
        for (int masking = 0; masking < 3; ++masking) {
            const Shape shape{n > 300 ? 2 : 1 + g.below(3),
                              n > 1000 ? 1
                              : n > 40 ? 3
                                       : 1 + g.below(20),
                              n,
                              g.below(3) ? g.below(4) : 16 - n % 16,
                              static_cast<std::size_t>(g.below(3) ? g.below(5) : 0),
                              static_cast<decltype(Shape::masking)>(masking),
                              g.below(4) == 0};
            Batch b(g, shape);
            check_all(b, g, schedule, report);
        }
}

/// Sums that need 64 bits, or halving.
void long_rows(Random &g, Report &report) {
    for (const std::int64_t n : {32767, 65536, 65537, 200000}) {
        Batch b(g, {1, 1, n, 0, 0, n % 2 ? Shape::own_mask : Shape::unmasked, false});
        check_all(b, g, "long", report);
    }
}

} // namespace

int main(int count, char **arguments) {
    const bool brief = count > 1 && std::string_view(arguments[1]) == "brief";
    Report report;
    Random g;
    hostcuda::each_schedule([&](const char *schedule) {
        aligned_rows(g, schedule, brief, report);
        any_rows(g, schedule, brief, report);
    });
    if (!brief)
        long_rows(g, report);
    return report.finish();
}
