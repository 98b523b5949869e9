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

/// The arrays that are walked over together.
enum Operand { logits, results, masks, sinks, operands };
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

    std::size_t rows() const { return loops_.empty() ? 1 : loops_.back().extent; }
    std::ptrdiff_t stride(Operand k) const { return loops_.empty() ? 0 : loops_.back().strides[k]; }
    bool multiple_of(Operand k, std::ptrdiff_t size) const {
        return std::ranges::all_of(loops_,
                                   [=](const Dimension &d) { return d.strides[k] % size == 0; });
    }

    /// Calls f(offsets, number of the first row) for all other dimensions, the last fastest.
    template <class F> void each(const F &f) const {
        std::vector<std::size_t> index(loops_.size(), 0);
        for (std::size_t first = 0;; first += rows()) {
            Offsets offsets{};
            for (std::size_t i = 0; i + 1 < loops_.size(); ++i)
                for (std::size_t k = 0; k < operands; ++k)
                    offsets[k] += static_cast<std::ptrdiff_t>(index[i]) * loops_[i].strides[k];
            f(offsets, first);
            std::size_t d = loops_.empty() ? 0 : loops_.size() - 1;
            while (d > 0 && ++index[d - 1] == loops_[d - 1].extent)
                index[--d] = 0;
            if (d == 0)
                return;
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
