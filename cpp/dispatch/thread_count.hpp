// How many threads this process may use.
#pragma once
#include <string>

namespace fastsoftmax {

/// CPUs that the affinity mask and the cgroup's quota leave us, at least 1; asked once.
int usable_cpus();

/// More are refused: a slip of the keyboard rather than a machine.
inline constexpr int most_threads = 4096;

/// FASTSOFTMAX_NUM_THREADS, or usable_cpus() where it isn't set. Read once.
int default_threads();

/// What is wrong with FASTSOFTMAX_NUM_THREADS, or an empty string.
const std::string &threads_problem();

} // namespace fastsoftmax
