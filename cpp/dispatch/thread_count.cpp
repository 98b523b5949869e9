#include "dispatch/thread_count.hpp"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

namespace fastsoftmax {
namespace {

int affinity() {
#if defined(__linux__)
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return CPU_COUNT(&set);
#endif
    return static_cast<int>(std::thread::hardware_concurrency());
}

/// CPUs' worth of time that the cgroup may use, or 0 where nothing limits it: version 2 keeps both
/// numbers in one file ("max" for no limit), version 1 one in each of two.
double cgroup_quota() {
    double quota = 0, period = 0;
    std::ifstream two("/sys/fs/cgroup/cpu.max");
    if (two >> quota >> period)
        return period > 0 ? quota / period : 0;
    std::ifstream one("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
    std::ifstream its_period("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
    if (one >> quota && its_period >> period && quota > 0 && period > 0)
        return quota / period;
    return 0;
}

/// The quota, asked for once. Not by a static with a constructor: a child that is forked while
/// another thread is in there would wait for it forever.
double known_quota() {
    static std::atomic<double> known = -1;
    double quota = known.load(std::memory_order_relaxed);
    if (quota < 0)
        known.store(quota = std::max(cgroup_quota(), 0.0), std::memory_order_relaxed);
    return quota;
}

/// The whole text as a number, or 0.
int number(std::string_view text) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() ? value : 0;
}

std::string_view environment(const char *name) {
    const char *const value = std::getenv(name);
    return value ? value : "";
}

/// What OMP_NUM_THREADS says of the outermost level, the first of a list; 0 where it says nothing
/// of use, which isn't ours to refuse.
int openmp_threads() {
    std::string_view text = environment("OMP_NUM_THREADS");
    text = text.substr(0, text.find(','));
    constexpr const char *blank = " \t";
    const std::size_t begin = std::min(text.find_first_not_of(blank), text.size());
    text = text.substr(begin, text.find_last_not_of(blank) + 1 - begin);
    return std::clamp(number(text), 0, most_threads);
}

struct Requested {
    int threads = 0;
    std::string problem;
};

Requested read_environment() {
    const std::string_view text = environment("FASTSOFTMAX_NUM_THREADS");
    if (text.empty())
        return {openmp_threads(), ""};
    const int threads = number(text);
    if (threads >= 1 && threads <= most_threads)
        return {threads, ""};
    return {0, "FASTSOFTMAX_NUM_THREADS is '" + std::string(text) +
                   "'; unset it or set it to a number from 1 to " + std::to_string(most_threads)};
}

const Requested &requested() {
    static const auto &found = *new Requested(read_environment()); // threads may outlive statics
    return found;
}

std::atomic<int> limit = 0;

int within_limit(int threads) {
    const int most = thread_limit();
    return most > 0 ? std::min(threads, most) : threads;
}

} // namespace

int usable_cpus() {
    const double quota = known_quota();
    const int most = std::max(affinity(), 1);
    return quota > 0 ? std::clamp(static_cast<int>(std::ceil(quota)), 1, most) : most;
}

int default_threads() {
    return within_limit(requested().threads > 0 ? requested().threads : usable_cpus());
}

const std::string &threads_problem() { return requested().problem; }

void check_threads(int asked) {
    if (asked < 0)
        throw std::invalid_argument("threads must be at least 1, or 0 for the default; got " +
                                    std::to_string(asked));
    if (asked == 0 && !threads_problem().empty())
        throw std::invalid_argument(threads_problem());
}

int threads_for(int asked, std::size_t worth) {
    if (worth <= 1)
        return 1;
    const int most = asked == 0 ? default_threads() : within_limit(asked);
    return static_cast<int>(std::min(worth, static_cast<std::size_t>(most)));
}

void limit_threads(int most) { limit.store(std::max(most, 0), std::memory_order_relaxed); }

int thread_limit() { return limit.load(std::memory_order_relaxed); }

} // namespace fastsoftmax
