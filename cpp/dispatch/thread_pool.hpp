// A small pool of our own. No OpenMP: Apple's compiler lacks it, and two copies of it in one
// process (torch brings one) fight over the CPUs.
#pragma once
#include <functional>

namespace fastsoftmax {

/// Calls part(0) .. part(parts - 1), each once, on this thread and on waiting ones of the pool, at
/// most `threads` in all, and returns when all are done. The first exception of a part is thrown
/// again here. If the pool is taken by another caller, this thread does all parts itself. After
/// fork the child starts a pool of its own.
void run_parts(int parts, int threads, const std::function<void(int)> &part);

} // namespace fastsoftmax
