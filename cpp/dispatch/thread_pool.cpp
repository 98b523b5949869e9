#include "dispatch/thread_pool.hpp"
#include "dispatch/thread_count.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <pthread.h>
#include <system_error>
#include <thread>
#include <vector>

namespace fastsoftmax {
namespace {

/// Lets time pass while `until` isn't so, for 30 us at most: a thread that sleeps takes about as
/// long to wake, and the next job, or the end of this one, is often nearer. Whether it is so.
template <class F> bool spin(const F &until) {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + std::chrono::microseconds(30);
    do {
        for (int i = 0; i < 32; ++i) {
            if (until())
                return true;
#if defined(__x86_64__)
            __builtin_ia32_pause();
#elif defined(__aarch64__)
            __asm__ volatile("yield");
#endif
        }
    } while (Clock::now() < end);
    return until();
}

class Pool {
  public:
    void run(int parts, int threads, const std::function<void(int)> &part) {
        const std::unique_lock caller(busy_, std::try_to_lock);
        if (!caller.owns_lock()) { // one job at a time: a second caller has its own thread
            for (int i = 0; i < parts; ++i)
                part(i);
            return;
        }
        // parts are taken as threads come free, so fewer threads than parts will do
        const int helpers = start(std::min(parts, threads) - 1);
        Job job{part, parts, helpers};
        int sleepers = 0;
        {
            const std::lock_guard lock(mutex_);
            job_ = &job;
            generation_.fetch_add(1, std::memory_order_release);
            sleepers = std::min(helpers, sleeping_);
        }
        for (int i = 0; i < sleepers; ++i)
            wake_.notify_one();
        job.work();
        {
            const std::lock_guard lock(mutex_);
            job_ = nullptr; // whoever comes late finds nothing
        }
        const auto done = [this] { return working_.load(std::memory_order_acquire) == 0; };
        if (!spin(done)) {
            std::unique_lock lock(mutex_);
            idle_.wait(lock, done);
        }
        if (job.error)
            std::rethrow_exception(job.error);
    }

  private:
    struct Job {
        const std::function<void(int)> &part;
        const int parts;
        int helpers; ///< that may still join
        std::atomic<int> next = 0;
        std::exception_ptr error = nullptr;
        std::mutex error_mutex = {};

        void work() {
            for (int i = next++; i < parts; i = next++) {
                try {
                    part(i);
                } catch (...) {
                    const std::lock_guard lock(error_mutex);
                    if (!error)
                        error = std::current_exception();
                }
            }
        }
    };

    /// Has so many threads, but never starts more than two for each CPU. How many there are of
    /// them.
    int start(int threads) {
        const auto started = [this] { return static_cast<int>(threads_.size()); };
        // the system is asked for its CPUs only where there is something to start
        const int most = started() < threads ? std::min(threads, 2 * usable_cpus()) : threads;
        while (started() < most) {
            // a thread that can't be had is done without: the others take its parts
            try {
                threads_.emplace_back([this] { wait_and_work(); });
                threads_.back().detach();
            } catch (const std::system_error &) {
                break;
            }
        }
        return std::min(threads, started());
    }

    void wait_and_work() {
        unsigned long seen = 0;
        const auto news = [&] { return generation_.load(std::memory_order_acquire) != seen; };
        for (;;) {
            const bool soon = spin(news);
            std::unique_lock lock(mutex_);
            if (!soon) {
                ++sleeping_;
                wake_.wait(lock, news);
                --sleeping_;
            }
            seen = generation_.load(std::memory_order_relaxed);
            Job *job = job_;
            if (!job || job->helpers == 0)
                continue;
            --job->helpers;
            working_.fetch_add(1, std::memory_order_relaxed);
            lock.unlock();
            job->work();
            lock.lock();
            if (working_.fetch_sub(1, std::memory_order_release) == 1)
                idle_.notify_one();
        }
    }

    std::mutex busy_, mutex_;
    std::condition_variable wake_, idle_;
    std::vector<std::thread> threads_;
    Job *job_ = nullptr;
    int sleeping_ = 0;
    std::atomic<unsigned long> generation_ = 0;
    std::atomic<int> working_ = 0;
};

// Never destroyed: its threads may outlive main(). A child of fork has none of them, and locks in
// whatever state they were, so it gets a new pool.
std::atomic<Pool *> current = nullptr;

Pool &pool() {
    Pool *found = current.load(std::memory_order_acquire);
    if (found)
        return *found;
    static const int once = pthread_atfork(nullptr, nullptr, [] { current.store(nullptr); });
    static_cast<void>(once);
    Pool *fresh = new Pool;
    if (current.compare_exchange_strong(found, fresh))
        return *fresh;
    delete fresh;
    return *found;
}

} // namespace

void run_parts(int parts, int threads, const std::function<void(int)> &part) {
    if (parts <= 1 || threads <= 1) {
        for (int i = 0; i < parts; ++i)
            part(i);
        return;
    }
    pool().run(parts, threads, part);
}

} // namespace fastsoftmax
