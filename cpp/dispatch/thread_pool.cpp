#include "dispatch/thread_pool.hpp"
#include "dispatch/thread_count.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <pthread.h>
#include <system_error>
#include <thread>
#include <vector>

namespace fastsoftmax {
namespace {

class Pool {
  public:
    void run(int parts, const std::function<void(int)> &part) {
        const std::unique_lock caller(busy_, std::try_to_lock);
        if (!caller.owns_lock()) { // one job at a time: a second caller has its own thread
            for (int i = 0; i < parts; ++i)
                part(i);
            return;
        }
        // parts are taken as threads come free, so fewer threads than parts will do
        start(std::min(parts - 1, 2 * usable_cpus()));
        Job job{part, parts};
        {
            const std::lock_guard lock(mutex_);
            job_ = &job;
            ++generation_;
        }
        for (int i = 1; i < parts; ++i)
            wake_.notify_one();
        job.work();
        std::unique_lock lock(mutex_);
        job_ = nullptr; // whoever wakes late finds nothing
        idle_.wait(lock, [this] { return working_ == 0; });
        if (job.error)
            std::rethrow_exception(job.error);
    }

  private:
    struct Job {
        const std::function<void(int)> &part;
        const int parts;
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

    void start(int threads) {
        while (static_cast<int>(threads_.size()) < threads) {
            // a thread that can't be had is done without: the others take its parts
            try {
                threads_.emplace_back([this] { sleep_and_work(); });
                threads_.back().detach();
            } catch (const std::system_error &) {
                return;
            }
        }
    }

    void sleep_and_work() {
        std::unique_lock lock(mutex_);
        unsigned long seen = 0;
        for (;;) {
            wake_.wait(lock, [&] { return job_ && generation_ != seen; });
            seen = generation_;
            Job *job = job_;
            ++working_;
            lock.unlock();
            job->work();
            lock.lock();
            if (--working_ == 0)
                idle_.notify_one();
        }
    }

    std::mutex busy_, mutex_;
    std::condition_variable wake_, idle_;
    std::vector<std::thread> threads_;
    Job *job_ = nullptr;
    unsigned long generation_ = 0;
    int working_ = 0;
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

void run_parts(int parts, const std::function<void(int)> &part) {
    if (parts <= 1) {
        if (parts == 1)
            part(0);
        return;
    }
    pool().run(parts, part);
}

} // namespace fastsoftmax
