// The dimensions of an array other than the axis: how many rows they make, and a walk over them.
#pragma once
#include "common/sizes.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace fastsoftmax {

/// Number of rows along the axis, for elements of `item` bytes. Throws where there is no such axis,
/// and where the bytes of all elements, or of one result for each row, cannot be counted. Then no
/// product of extents wraps.
inline std::size_t count_rows(std::span<const std::size_t> shape, std::size_t axis,
                              std::size_t item) {
    if (axis >= shape.size())
        throw std::invalid_argument("axis " + std::to_string(axis) + " of an array with " +
                                    std::to_string(shape.size()) + " dimensions");
    for (std::size_t i = 0; i < shape.size(); ++i)
        if (i != axis && shape[i] == 0)
            return 0;
    std::size_t rows = 1;
    for (std::size_t i = 0; i < shape.size(); ++i) {
        if (i == axis)
            continue;
        rows = times(rows, shape[i]);
    }
    checked_bytes("one result for each row", {rows, item});
    checked_bytes("an array of this shape", {rows, shape[axis], item});
    return rows;
}

/// The arrays that are walked over together. int8 rows have parameters where others have a sink.
enum Operand { logits, results, masks, sinks, operands, parameters = sinks };
using Offsets = std::array<std::ptrdiff_t, operands>; ///< one for each, in bytes

/// Walks the operands over all dimensions but the axis. One of them is left to the caller: `rows`
/// rows at one stride. Dimensions that one stride describes are joined first, so an array without
/// gaps is a single call.
class OuterLoop {
  public:
    void add(std::size_t extent, const Offsets &strides) {
        if (extent == 1)
            return;
        const auto n = static_cast<std::ptrdiff_t>(extent);
        const auto joins = [&](const Dimension &last) {
            std::ptrdiff_t step = 0;
            for (std::size_t k = 0; k < operands; ++k)
                if (__builtin_mul_overflow(strides[k], n, &step) || last.strides[k] != step)
                    return false;
            return true;
        };
        if (!loops_.empty() && joins(loops_.back()))
            loops_.back() = {times(loops_.back().extent, extent), strides};
        else
            loops_.push_back({extent, strides});
    }

    /// Puts the dimension last in which logits lie closest together. Rows are then numbered in
    /// another order than C's.
    void put_nearest_last() {
        if (loops_.empty())
            return;
        const auto nearest = std::ranges::min_element(
            loops_, {}, [](const Dimension &d) { return std::abs(d.strides[logits]); });
        std::rotate(nearest, nearest + 1, loops_.end());
    }

    /// Makes each row a group of its own where rows differ in an operand.
    void part_where_differs(Operand k) {
        if (stride(k) != 0)
            loops_.push_back({1, {}});
    }

    /// Rows of a group.
    std::size_t rows() const { return loops_.empty() ? 1 : loops_.back().extent; }
    std::ptrdiff_t stride(Operand k) const { return loops_.empty() ? 0 : loops_.back().strides[k]; }
    bool multiple_of(Operand k, std::ptrdiff_t size) const {
        return std::ranges::all_of(loops_,
                                   [=](const Dimension &d) { return d.strides[k] % size == 0; });
    }

    /// Where row r of the group at these offsets is.
    Offsets row(Offsets at, std::size_t r) const {
        for (std::size_t k = 0; k < operands; ++k)
            at[k] += static_cast<std::ptrdiff_t>(r) * stride(static_cast<Operand>(k));
        return at;
    }

    /// Calls f(offsets of the first row, its number, how many rows) for each group of the rows
    /// begin .. end, in C order of the dimensions.
    template <class F> void each(std::size_t begin, std::size_t end, const F &f) const {
        const std::size_t group = rows(), outer = loops_.empty() ? 0 : loops_.size() - 1;
        std::vector<std::size_t> index(outer);
        std::size_t skip = 0;
        if (begin != 0) { // calls on few numbers would feel the divisions
            skip = begin % group;
            std::size_t number = begin / group;
            for (std::size_t i = outer; i-- > 0; number /= loops_[i].extent)
                index[i] = number % loops_[i].extent;
        }
        for (std::size_t first = begin; first < end; skip = 0) {
            Offsets at{};
            for (std::size_t i = 0; i < outer; ++i)
                for (std::size_t k = 0; k < operands; ++k)
                    at[k] += static_cast<std::ptrdiff_t>(index[i]) * loops_[i].strides[k];
            const std::size_t count = std::min(group - skip, end - first);
            f(row(at, skip), first, count);
            first += count;
            for (std::size_t i = outer; i-- > 0;) {
                if (++index[i] < loops_[i].extent)
                    break;
                index[i] = 0;
            }
        }
    }

  private:
    struct Dimension {
        std::size_t extent;
        Offsets strides;
    };
    std::vector<Dimension> loops_;
};

} // namespace fastsoftmax
