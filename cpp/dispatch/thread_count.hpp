// How many threads this process may use.
#pragma once
#include <cstddef>
#include <string>

namespace fastsoftmax {

/// CPUs that this thread's affinity mask and the cgroup's quota leave us now, at least 1. The mask
/// is a call into the system; the quota, some files, is read once.
int usable_cpus();

/// More are refused: a slip of the keyboard rather than a machine.
inline constexpr int most_threads = 4096;

/// FASTSOFTMAX_NUM_THREADS, else OMP_NUM_THREADS, both read once, else usable_cpus(); within the
/// limit.
int default_threads();

/// Throws where a call can't have so many threads, or where it asks for the default (0) and there
/// is a problem with that.
void check_threads(int asked);

/// Threads for a job that is worth so many: not above what the call asks for (0: the default), nor
/// above the limit. The system isn't asked about a job for one.
int threads_for(int asked, std::size_t worth);

/// A bound for all calls from now on, whatever they ask for; 0 for none.
void limit_threads(int most);
int thread_limit();

/// What is wrong with FASTSOFTMAX_NUM_THREADS, or an empty string.
const std::string &threads_problem();

} // namespace fastsoftmax
