#include "dispatch/thread_count.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <fstream>
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

struct Requested {
    int threads = 0;
    std::string problem;
};

const Requested &requested() {
    static const Requested found = [] {
        Requested request;
        const char *value = std::getenv("FASTSOFTMAX_NUM_THREADS");
        if (!value || !*value)
            return request;
        const std::string_view text(value);
        const auto [end, error] =
            std::from_chars(text.data(), text.data() + text.size(), request.threads);
        if (error != std::errc() || end != text.data() + text.size() || request.threads < 1 ||
            request.threads > most_threads) {
            request.threads = 0;
            request.problem = "FASTSOFTMAX_NUM_THREADS is '" + std::string(text) +
                              "'; unset it or set it to a number from 1 to " +
                              std::to_string(most_threads);
        }
        return request;
    }();
    return found;
}

} // namespace

int usable_cpus() {
    static const int cpus = [] {
        const double quota = cgroup_quota();
        const int most = std::max(affinity(), 1);
        return quota > 0 ? std::clamp(static_cast<int>(std::ceil(quota)), 1, most) : most;
    }();
    return cpus;
}

int default_threads() { return requested().threads > 0 ? requested().threads : usable_cpus(); }

const std::string &threads_problem() { return requested().problem; }

} // namespace fastsoftmax
