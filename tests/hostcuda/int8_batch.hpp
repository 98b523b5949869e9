// Batches of int8 rows of every kind, and the comparison of results bit for bit.
#pragma once
#include "report.hpp"

#include "../cpp/check/int8.hpp"
#include "cuda/api/int8.hpp"

#include <algorithm>
#include <random>
#include <string_view>

namespace hostcuda {

using namespace fastsoftmax::cuda;

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

} // namespace hostcuda
