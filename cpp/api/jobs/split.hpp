// How a job may be split: over how many threads, into how many parts.
#pragma once
#include "dispatch/thread_count.hpp"
#include "fastsoftmax/fastsoftmax.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace fastsoftmax {

struct Split {
    int most;               ///< threads
    std::size_t worthwhile; ///< elements that make waking a thread so, about 20 us of work

    /// Threads for rows of n elements.
    int of(std::size_t rows, std::size_t n) const {
        return within(
            std::min(rows * std::max<std::size_t>(n / worthwhile, 1), rows * n / worthwhile));
    }
    int of_row(std::size_t n) const { return within(n / worthwhile); }

    /// Whether threads do better to share each row than to have rows of their own: some thread
    /// would have none, or one more than the others.
    bool shares(std::size_t rows, std::size_t n) const {
        const auto threads = static_cast<std::size_t>(of(rows, n));
        return of_row(n) > 1 && rows < 4 * threads && rows % threads != 0;
    }

    /// Parts of rows of so many bytes. A thread that is slow to wake finds less left where there
    /// are several for each; rows beyond the caches of all threads want long runs instead, which
    /// kernels fetch ahead in.
    static std::size_t parts(int threads, std::size_t rows, std::size_t bytes) {
        constexpr std::size_t cached = std::size_t{2} << 20, each = 4;
        const auto count = static_cast<std::size_t>(threads);
        return std::min(rows, rows * bytes <= cached * count ? each * count : count);
    }

  private:
    int within(std::size_t threads) const {
        return static_cast<int>(
            std::clamp<std::size_t>(threads, 1, static_cast<std::size_t>(std::max(most, 1))));
    }
};

/// The split of a job of so many elements, for a kernel of so many lanes. `a_lane`: elements that
/// one lane takes in the 20 us that make waking a thread worthwhile; an element of floats takes 4
/// ns on one lane, 0.3 ns on sixteen. Throws where threads, or the environment's, can't be.
inline Split split_for(int lanes, const Options &options, std::size_t elements,
                       std::size_t a_lane = 4096) {
    check_threads(options.threads);
    const std::size_t worthwhile = a_lane * static_cast<std::size_t>(lanes);
    return {threads_for(options.threads, elements / worthwhile), worthwhile};
}

/// Part i of `all` things: from the first to the one behind its last.
inline std::pair<std::size_t, std::size_t> share_of(std::size_t all, std::size_t parts,
                                                    std::size_t i) {
    const std::size_t share = all / parts, extra = all % parts;
    const std::size_t begin = share * i + std::min(i, extra);
    return {begin, begin + share + (i < extra ? 1 : 0)};
}

} // namespace fastsoftmax
