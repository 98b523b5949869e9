// The dimensions of an array other than the axis: how many rows they make, and a walk over them.
#pragma once
#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace fastsoftmax {

/// Number of rows along the axis, for elements of `item` bytes. Throws where there is no such axis,
/// and where the bytes of a row, or of one result for each row, cannot be counted.
inline std::size_t count_rows(std::span<const std::size_t> shape, std::size_t axis,
                              std::size_t item) {
    if (axis >= shape.size())
        throw std::invalid_argument("axis " + std::to_string(axis) + " of an array with " +
                                    std::to_string(shape.size()) + " dimensions");
    const std::size_t most = std::numeric_limits<std::ptrdiff_t>::max() / item;
    for (std::size_t i = 0; i < shape.size(); ++i)
        if (i != axis && shape[i] == 0)
            return 0;
    std::size_t rows = 1;
    for (std::size_t i = 0; i < shape.size(); ++i) {
        if (i == axis)
            continue;
        if (shape[i] > most / rows)
            throw std::length_error("more rows than memory can have results for");
        rows *= shape[i];
    }
    if (shape[axis] > most)
        throw std::length_error("a row of more elements than memory can have");
    return rows;
}

/// Walks x and y (which may be absent) over all dimensions but the axis. The last of them is left
/// to the caller: `rows` rows at one stride. Dimensions that one stride describes are joined first,
/// so an array without gaps is a single call.
class OuterLoop {
  public:
    OuterLoop(std::span<const std::size_t> shape, std::span<const std::ptrdiff_t> x,
              std::span<const std::ptrdiff_t> y, std::size_t axis) {
        for (std::size_t i = 0; i < shape.size(); ++i) {
            if (i == axis || shape[i] == 1)
                continue;
            const Dimension d{shape[i], x[i], y.empty() ? 0 : y[i]};
            const auto n = static_cast<std::ptrdiff_t>(shape[i]);
            if (!loops_.empty() && loops_.back().x == d.x * n && loops_.back().y == d.y * n)
                loops_.back() = {loops_.back().extent * d.extent, d.x, d.y};
            else
                loops_.push_back(d);
        }
        if (loops_.empty())
            loops_.push_back({1, 0, 0});
    }

    std::size_t rows() const { return loops_.back().extent; }
    std::ptrdiff_t x_row() const { return loops_.back().x; }
    std::ptrdiff_t y_row() const { return loops_.back().y; }
    bool x_multiple_of(std::ptrdiff_t size) const {
        return std::ranges::all_of(loops_, [size](const Dimension &d) { return d.x % size == 0; });
    }
    bool y_multiple_of(std::ptrdiff_t size) const {
        return std::ranges::all_of(loops_, [size](const Dimension &d) { return d.y % size == 0; });
    }

    /// Calls f(offset in x, offset in y, number of the first row) in C order; offsets in bytes.
    template <class F> void each(const F &f) const {
        std::vector<std::size_t> index(loops_.size(), 0);
        for (std::size_t first = 0;; first += rows()) {
            std::ptrdiff_t x = 0, y = 0;
            for (std::size_t i = 0; i + 1 < loops_.size(); ++i) {
                x += static_cast<std::ptrdiff_t>(index[i]) * loops_[i].x;
                y += static_cast<std::ptrdiff_t>(index[i]) * loops_[i].y;
            }
            f(x, y, first);
            std::size_t d = loops_.size() - 1;
            while (d > 0 && ++index[d - 1] == loops_[d - 1].extent)
                index[--d] = 0;
            if (d == 0)
                return;
        }
    }

  private:
    struct Dimension {
        std::size_t extent;
        std::ptrdiff_t x, y; // strides
    };
    std::vector<Dimension> loops_;
};

} // namespace fastsoftmax
