// Who asks the system for the affinity mask, and when: a job for one thread must not pay for it,
// any other goes by the mask of its time.
#include "dispatch/thread_count.hpp"
#include "fastsoftmax/fastsoftmax.hpp"
#include "fastsoftmax/heinsen.hpp"
#include "fastsoftmax/int8.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#if defined(__linux__)
#include <sched.h>

namespace {
int asked = 0, cpus = 3;
} // namespace

// stands in for the C library's
extern "C" int sched_getaffinity(pid_t, std::size_t size, cpu_set_t *set) noexcept {
    ++asked;
    CPU_ZERO_S(size, set);
    for (int i = 0; i < cpus; ++i)
        CPU_SET_S(static_cast<std::size_t>(i), size, set);
    return 0;
}

namespace {

using fastsoftmax::Options;

int failures = 0;
void expect(bool good, const std::string &what) {
    if (!good)
        std::printf("FAILED: %s\n", what.c_str());
    failures += !good;
}

/// Calls each operation on so many rows of 1000, or tokens of 64.
void each_operation(std::size_t rows,
                    const std::function<void(const char *, const std::function<void()> &)> &f,
                    Options options = {}) {
    const std::size_t n = 1000;
    const std::vector<std::size_t> shape{rows, n}, heads{rows};
    const std::vector<std::ptrdiff_t> floats{n * 4, 4}, bytes{n, 1}, none{0};
    std::vector<float> x(rows * n), y(rows * n), m(rows), s(rows);
    std::vector<std::int64_t> index(rows * 3);
    const std::vector<std::int8_t> b(rows * n);
    std::vector<std::uint8_t> p(rows * n);
    const double scale = 0.1;
    std::vector<float> state(fastsoftmax::heinsen_size(64, 64, false));
    fastsoftmax::heinsen_start(state.data(), 64, 64, true, false);
    const fastsoftmax::Array<const float> a{x.data(), shape, floats};
    f("online", [&] { fastsoftmax::online<float>(a, {y.data(), shape, floats}, 1, options); });
    f("log_softmax",
      [&] { fastsoftmax::log_softmax<float>(a, {y.data(), shape, floats}, 1, options); });
    f("normalizer", [&] { fastsoftmax::normalizer<float>(a, m.data(), s.data(), 1, options); });
    f("logsumexp", [&] { fastsoftmax::logsumexp<float>(a, m.data(), 1, options); });
    f("scan", [&] { fastsoftmax::scan<float>(a, m.data(), s.data(), 1, options); });
    f("topk", [&] { fastsoftmax::topk<float>(a, 3, y.data(), index.data(), 1, options); });
    Options table = options;
    table.variant = "u8";
    f("int8", [&] {
        fastsoftmax::int8::softmax<std::uint8_t>({b.data(), shape, bytes}, {&scale, heads, none},
                                                 {}, {p.data(), shape, bytes}, table);
    });
    f("heinsen", [&] {
        fastsoftmax::heinsen<float>(
            state.data(),
            {x.data(), x.data(), x.data(), y.data(), 1, rows * n / 64, 64, 64, false, false},
            options);
    });
}

void check_questions() {
    each_operation(2, [](const char *name, const auto &call) {
        asked = 0;
        call();
        expect(asked == 0, std::string(name) + " asks for the mask for a small job");
    });
    each_operation(5000, [](const char *name, const auto &call) {
        asked = 0;
        call();
        expect(asked > 0, std::string(name) + " goes by an old mask");
    });
    const auto explicitly = [](const char *name, const auto &call) {
        call(); // may have a thread to start
        asked = 0;
        call();
        expect(asked == 0, std::string(name) + " asks for the mask though threads are given");
    };
    each_operation(5000, explicitly, {.threads = 2});
}

void check_refusals() {
    const auto refused = [](const char *name, const auto &call) {
        try {
            call();
        } catch (const std::invalid_argument &error) {
            if (std::string(error.what()).find("threads") != std::string::npos)
                return;
        }
        expect(false, std::string(name) + " takes threads = -1");
    };
    each_operation(2, refused, {.threads = -1});
}

void check_numbers() {
    using fastsoftmax::threads_for;
    expect(threads_for(0, 100) == 3 && threads_for(0, 2) == 2, "the mask bounds the default");
    expect(threads_for(8, 100) == 8 && threads_for(8, 0) == 1, "a call's own number counts");
    cpus = 2;
    expect(threads_for(0, 100) == 2, "another mask counts at once");
    fastsoftmax::limit_threads(1);
    expect(threads_for(0, 100) == 1 && threads_for(8, 100) == 1, "a limit bounds both");
    fastsoftmax::limit_threads(5);
    expect(threads_for(0, 100) == 2 && threads_for(8, 100) == 5, "a limit is no more than that");
    fastsoftmax::limit_threads(0);
    expect(threads_for(8, 100) == 8, "no limit is none");
}

} // namespace

int main() {
    unsetenv("FASTSOFTMAX_NUM_THREADS");
    unsetenv("OMP_NUM_THREADS");
    check_questions();
    check_refusals();
    check_numbers();
    return failures != 0;
}

#else
int main() {} // no affinity masks there
#endif
