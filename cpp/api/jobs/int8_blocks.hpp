// Walks int8 rows, their mask, results and parameters together, in blocks of rows at one stride
// that share their parameters.
#pragma once
#include "api/jobs/outer_loop.hpp"
#include "dispatch/thread_pool.hpp"
#include "fastsoftmax/int8.hpp"

#include <array>

namespace fastsoftmax::int8 {

/// Byte offsets or strides of x, mask, y and parameters.
using Four = std::array<std::ptrdiff_t, 4>;

class Blocks {
  public:
    /// `outer` leaves out the rows' own dimension.
    Blocks(std::span<const std::size_t> outer,
           const std::array<std::span<const std::ptrdiff_t>, 4> &strides) {
        for (std::size_t i = 0; i < outer.size(); ++i) {
            Dimension d{outer[i], {}};
            for (std::size_t a = 0; a < 4; ++a)
                d.strides[a] = strides[a].empty() ? 0 : strides[a][i];
            all_ = times(all_, d.extent);
            if (d.extent == 1)
                continue;
            if (!loops_.empty() && joins(loops_.back(), d))
                loops_.back() = {times(loops_.back().extent, d.extent), d.strides};
            else
                loops_.push_back(d);
        }
        if (loops_.empty() || loops_.back().strides[3] != 0) // each row has its own parameters
            loops_.push_back({1, {}});
    }

    std::size_t all_rows() const { return all_; }
    const Four &row_strides() const { return loops_.back().strides; }

    /// Calls f(offsets, rows) for the rows begin .. end, counted in C order.
    template <class F> void each(std::size_t begin, std::size_t end, const F &f) const {
        const std::size_t group = loops_.back().extent;
        for (std::size_t at = begin; at < end;) {
            std::size_t block = at / group;
            const std::size_t skip = at % group, rows = std::min(group - skip, end - at);
            Four offsets{};
            add(offsets, loops_.back().strides, skip);
            for (std::size_t i = loops_.size() - 1; i-- > 0; block /= loops_[i].extent)
                add(offsets, loops_[i].strides, block % loops_[i].extent);
            f(offsets, rows);
            at += rows;
        }
    }

  private:
    struct Dimension {
        std::size_t extent;
        Four strides;
    };
    static void add(Four &to, const Four &strides, std::size_t times) {
        for (std::size_t a = 0; a < 4; ++a)
            to[a] += strides[a] * static_cast<std::ptrdiff_t>(times);
    }
    static bool joins(const Dimension &outside, const Dimension &inside) {
        const auto n = static_cast<std::ptrdiff_t>(inside.extent);
        std::ptrdiff_t step = 0;
        for (std::size_t a = 0; a < 4; ++a)
            if (__builtin_mul_overflow(inside.strides[a], n, &step) || outside.strides[a] != step)
                return false;
        return true;
    }

    std::vector<Dimension> loops_;
    std::size_t all_ = 1;
};

} // namespace fastsoftmax::int8
