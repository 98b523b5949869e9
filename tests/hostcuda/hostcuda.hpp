// hostcuda: CUDA kernels on a CPU, for tests. Every thread of a block is a fiber; blocks run one
// after another.
//
// What it finds by itself: barriers that are missed, divergent, or reached after a thread returned;
// warp operations whose mask lacks the caller or names a lane that left; lanes of one warp at
// different operations; deadlocks; misaligned vectors; launches no device would take. Shared memory
// starts out as NaN. Schedules (ascending, descending, random by seed) and jitter of the
// approximate instructions show what results hang on. With -fsanitize=address: overruns of global,
// static and dynamic shared memory. With -fsanitize=thread: races, since every CUDA thread is a
// thread to it, ordered by barriers, __syncwarp and atomics alone: thread i of one block and thread
// i of the next are strangers, so blocks race as well.
//
// Link with hostcuda.cpp, compiled without any sanitizer: the scheduler's own memory is no CUDA
// thread's. FTZ and DAZ are set during a launch, as -ftz=true does on a device.
#pragma once
#include "types.hpp"

#include <cstring>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace hostcuda {

struct Error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

enum class Order { ascending, descending, random };

struct Options {
    Order order = Order::ascending;
    std::uint64_t seed = 1;         ///< of random schedules and of jitter
    unsigned char poison = 0xff;    ///< what shared memory holds: NaN in every float type
    double jitter = 0;              ///< largest relative error added to approximate results
    std::size_t shared = 227 << 10; ///< bytes of shared memory that a block may ask for
    int multiprocessors = 2;        ///< few, so that small inputs take every class of kernel
};
/// Read at each launch.
extern Options options;

/// What was launched since the program started, for tests that must know that something ran.
struct Counts {
    std::uint64_t launches, blocks, barriers, warp_operations, approximations;
};
extern Counts counts;

struct Site {
    const char *file;
    int line;
};

/// Of the running thread.
struct Here {
    uint3 thread, block;
    dim3 block_size, grid_size;
    unsigned lane;
    void *dynamic_shared;
};
extern Here here;

[[noreturn]] void fail(const std::string &what);
void barrier(const char *name, Site site);
int barrier_count(const char *name, bool vote, Site site);

enum class WarpOp { sync, shuffle, ballot, max, max_unsigned, min, min_unsigned, add, all_or };
std::uint64_t warp(const char *name, WarpOp op, unsigned mask, std::uint64_t value, int source,
                   Site site);

void *shared_variable(const void *key, std::size_t bytes, std::size_t alignment);
void allow_shared(const void *kernel, std::size_t bytes);
void run(const void *kernel, dim3 grid, dim3 block, std::size_t shared, void (*body)(void *),
         void *argument);
/// 1 + something at most options.jitter away from 0.
double jitter();

/// Fails where a vector of `size` bytes isn't aligned to that.
inline void check_aligned(const void *p, std::size_t size) {
    if (reinterpret_cast<std::uintptr_t>(p) % size)
        fail("misaligned access of " + std::to_string(size) + " bytes");
}

template <class T> std::uint64_t packed(T value) {
    static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    return bits;
}
template <class T> T unpacked(std::uint64_t bits) {
    T value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

} // namespace hostcuda

#include "atomics.hpp"
#include "intrinsics.hpp"
#include "runtime.hpp"
#include "warps.hpp"
