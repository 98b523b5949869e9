// Whether the elements of an array to be written lie apart, as far as its strides tell at a glance.
#pragma once
#include "common/sizes.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace fastsoftmax {

/// True if each stride passes over all that the smaller ones reach, in an array of elements of
/// `item` bytes. So do slices, transposes and reversals of a packed array. Broadcast arrays and
/// overlapping windows don't; nor do a few layouts whose elements interleave without meeting.
inline bool lie_apart(std::span<const std::size_t> shape, std::span<const std::ptrdiff_t> strides,
                      std::size_t item) {
    using Dimension = std::pair<std::size_t, std::size_t>; // length of the stride, extent
    const auto dimension = [&](std::size_t i) {
        const auto stride = static_cast<std::size_t>(strides[i]);
        return Dimension{strides[i] < 0 ? 0 - stride : stride, shape[i]};
    };
    if (std::ranges::find(shape, std::size_t{0}) != shape.end())
        return true;
    std::size_t reached = item;
    const auto passes = [&](Dimension d) {
        const bool far = d.second == 1 || d.first >= reached;
        const std::size_t further = times(d.first, d.second - 1);
        reached = further > SIZE_MAX - reached ? SIZE_MAX : reached + further;
        return far;
    };
    bool nested = true; // as they come, the last dimension first, they are mostly sorted
    for (std::size_t i = shape.size(); nested && i-- > 0;)
        nested = passes(dimension(i));
    if (nested)
        return true;
    std::vector<Dimension> sorted;
    for (std::size_t i = 0; i < shape.size(); ++i)
        sorted.push_back(dimension(i));
    std::ranges::sort(sorted);
    reached = item;
    return std::ranges::all_of(sorted, passes);
}

} // namespace fastsoftmax
