// What the test programs of hostcuda share: memory of an exact size, schedules, counts.
#pragma once
#include "hostcuda.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace hostcuda {

/// `count` elements, of which the first lies `shift` elements beyond an address aligned to 256. The
/// memory ends with the last one, so that the address sanitizer sees what goes beyond.
template <class T> class Memory {
    std::vector<unsigned char> unused_;
    void *block_ = nullptr;
    T *first_;
    std::size_t count_;

  public:
    explicit Memory(std::size_t count, std::size_t shift = 0) : count_(count) {
        const std::size_t bytes = (count + shift) * sizeof(T);
        if (posix_memalign(&block_, 256, bytes ? bytes : 1))
            throw std::bad_alloc();
        std::memset(block_, 0xa5, bytes);
        first_ = static_cast<T *>(block_) + shift;
    }
    Memory(const Memory &) = delete;
    Memory &operator=(const Memory &) = delete;
    ~Memory() { std::free(block_); }
    T *data() { return first_; }
    std::size_t size() const { return count_; }
    T &operator[](std::size_t i) { return first_[i]; }
};

/// Counts checks, and prints those that fail.
class Report {
    int passed_ = 0, failed_ = 0;

  public:
    void check(bool good, const std::string &what) {
        ++(good ? passed_ : failed_);
        if (!good && failed_ <= 20)
            std::printf("FAILED: %s\n", what.c_str());
    }
    /// Exit status. A program that checked nothing has failed.
    int finish() const {
        std::printf("%d passed, %d failed; %llu launches, %llu blocks, %llu barriers, %llu warp "
                    "operations\n",
                    passed_, failed_, static_cast<unsigned long long>(counts.launches),
                    static_cast<unsigned long long>(counts.blocks),
                    static_cast<unsigned long long>(counts.barriers),
                    static_cast<unsigned long long>(counts.warp_operations));
        return failed_ || !passed_;
    }
};

/// f(name) in every schedule, or the random one alone; that one with jitter of 2^-22, as
/// approximate instructions have.
template <class F> void each_schedule(const F &f, bool only_random = false) {
    const Options saved = options;
    if (!only_random) {
        options.order = Order::ascending;
        f("ascending");
        options.order = Order::descending;
        f("descending");
    }
    options.order = Order::random;
    options.jitter = 0x1p-22;
    options.seed = 11;
    f("random");
    options = saved;
}

} // namespace hostcuda
