// Every float of the domain through every float32 `weight` kernel: the proof of the claimed bounds.
//
//   weight_sweep [--fast | --part K/N] [--threads N]
//
// All 1.12e9 floats d from -0 down to -104 (and +0). For each kernel: |h - e^d| <= the bound of its
// variant, for the exact one also relative to e^d; h >= 0; never rising towards smaller d where
// monotone is claimed; exactly the tail below the domain. e^d is taken once, in double, for all
// kernels. The domain is cut into blocks; neighbouring blocks share one float, so that monotone
// holds across them.
//
// --fast takes one block in 256, and whole neighbourhoods of 0, the domain's edge, powers of two
// and the jumps that it finds between the blocks. --part takes every Nth block from block K % N on,
// and the same neighbourhoods: parts 0 to N - 1 are all floats.
#include "check/reference.hpp"
#include "kernels/arguments.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace {

using fastsoftmax::Kernel;

constexpr std::uint32_t sign = 0x80000000u;
constexpr std::uint32_t last = std::bit_cast<std::uint32_t>(-104.0f) - sign;
constexpr std::uint32_t block_size = 1024;
/// The exact variant's relative bound holds above this: below, weights are 0 or close to denormal.
constexpr float relative_from = -87.25f;

/// The float number i from -0 downwards.
float float_at(std::uint32_t i) { return std::bit_cast<float>(i | sign); }
std::uint32_t index_of(double d) {
    return std::bit_cast<std::uint32_t>(static_cast<float>(d)) & ~sign;
}

/// Floats number first .. first + block_size, both included, and their exponentials.
struct Block {
    static constexpr std::uint32_t count = block_size + 1;
    float d[count];
    double e[count];

    void fill(std::uint32_t first) {
        for (std::uint32_t i = 0; i < count; ++i) {
            d[i] = float_at(std::min(first + i, last));
            e[i] = std::exp(static_cast<double>(d[i]));
        }
    }
};

/// How often something was seen, and where.
struct Seen {
    std::uint64_t times = 0;
    float at = 0;

    void add(float d, std::uint64_t more = 1) {
        times += more;
        if (more > 0)
            at = d;
    }
};

struct Worst {
    double error = 0, relative = 0;
    float at = 0, relative_at = 0;
    std::uint64_t points = 0;
    Seen rises, negative, tails;

    static void raise(double &most, float &most_at, double error, float d) {
        if (!(error <= most)) { // NaN counts as most, and stays
            most = error;
            most_at = d;
        }
    }
    void merge(const Worst &other) {
        raise(error, at, other.error, other.at);
        raise(relative, relative_at, other.relative, other.relative_at);
        rises.add(other.rises.at, other.rises.times);
        negative.add(other.negative.at, other.negative.times);
        tails.add(other.tails.at, other.tails.times);
        points += other.points;
    }
};

/// Runs one kernel over a block and adds what is found to `worst`. The loops count, since compilers
/// turn that into vector code; where there is something to count, the block is looked at closely.
void sweep_block(const Kernel &kernel, const Block &block, Worst &worst) {
    float h[Block::count];
    fastsoftmax::call(kernel, fastsoftmax::WeightArguments<float>{block.d, h, Block::count});
    worst.points += block_size;

    std::uint32_t further = 0, rising = 0, wrong = 0;
    for (std::uint32_t i = 0; i < Block::count; ++i)
        further += !(std::abs(h[i] - block.e[i]) <= worst.error);
    for (std::uint32_t i = 0; i + 1 < Block::count; ++i)
        rising += h[i + 1] > h[i];
    for (std::uint32_t i = 0; i < Block::count; ++i)
        // below 0, NaN and -0 are all beyond the pattern of infinity
        wrong += std::bit_cast<std::uint32_t>(h[i]) > 0x7f800000u;
    const bool exact = std::string_view(kernel.variant.name) == "exact";
    if (exact)
        for (std::uint32_t i = 0; i < Block::count; ++i)
            further += !(std::abs(h[i] - block.e[i]) <= worst.relative * block.e[i]);
    const bool below = static_cast<double>(block.d[Block::count - 1]) < kernel.variant.domain;
    if (further == 0 && wrong == 0 && !below && !(rising && kernel.variant.monotone)) {
        worst.rises.add(block.d[0], rising);
        return;
    }
    for (std::uint32_t i = 0; i < Block::count; ++i) {
        const float d = block.d[i];
        const double error = std::abs(h[i] - block.e[i]);
        worst.raise(worst.error, worst.at, error, d);
        if (exact && d > relative_from)
            worst.raise(worst.relative, worst.relative_at, error / block.e[i], d);
        if (i > 0 && h[i] > h[i - 1])
            worst.rises.add(d);
        if (std::bit_cast<std::uint32_t>(h[i]) > 0x7f800000u)
            worst.negative.add(d);
        if (static_cast<double>(d) < kernel.variant.domain &&
            h[i] != static_cast<float>(kernel.variant.tail))
            worst.tails.add(d);
    }
}

/// Where h changes far more than e^d does between two sampled floats: halved down to one block.
void find_jumps(const Kernel &kernel, std::uint32_t from, std::uint32_t to,
                std::set<std::uint32_t> &blocks) {
    const auto h = [&kernel](std::uint32_t i) {
        const float d = float_at(i);
        float result = 0;
        fastsoftmax::call(kernel, fastsoftmax::WeightArguments<float>{&d, &result, 1});
        return result;
    };
    const auto change = [&](std::uint32_t a, std::uint32_t b) { return std::abs(h(a) - h(b)); };
    const double expected = std::exp(float_at(from)) - std::exp(float_at(to));
    if (change(from, to) < 4 * expected + 1e-4)
        return;
    while (to - from > block_size) {
        const std::uint32_t middle = from + (to - from) / 2;
        (change(from, middle) > change(middle, to) ? to : from) = middle;
    }
    blocks.insert(from / block_size);
}

/// Every so many blocks, from which one on.
struct Sample {
    std::uint32_t stride = 1, first = 0;
};

/// Numbers of the blocks to look at, shuffled: the largest errors come early, and few blocks after
/// them have to be looked at closely.
std::vector<std::uint32_t> choose_blocks(const std::vector<const Kernel *> &kernels,
                                         Sample sample) {
    const std::uint32_t all = last / block_size + 1, stride = sample.stride;
    std::set<std::uint32_t> chosen, close;
    for (std::uint32_t block = sample.first; block < all; block += stride)
        chosen.insert(chosen.end(), block);
    std::vector<double> places{0, -104};
    for (int power = -126; power <= 6; ++power)
        places.push_back(-std::ldexp(1, power));
    for (const Kernel *kernel : kernels) {
        places.push_back(kernel->variant.domain);
        for (std::uint32_t block = 0; stride > 1 && block + stride < all; block += stride)
            find_jumps(*kernel, block * block_size, (block + stride) * block_size, close);
    }
    for (const double place : places)
        close.insert(index_of(place) / block_size);
    for (const std::uint32_t block : close)
        for (std::uint32_t near = block > 4 ? block - 4 : 0; near <= block + 4; ++near)
            chosen.insert(std::min(near, all - 1));
    std::vector<std::uint32_t> order(chosen.begin(), chosen.end());
    std::shuffle(order.begin(), order.end(), std::mt19937(1));
    return order;
}

std::vector<Worst> sweep(const std::vector<const Kernel *> &kernels,
                         const std::vector<std::uint32_t> &blocks, unsigned threads) {
    std::vector<Worst> total(kernels.size());
    std::mutex mutex;
    std::atomic<std::size_t> next{0};
    constexpr std::size_t batch = 64;
    const auto work = [&] {
        std::vector<Worst> mine(kernels.size());
        Block block;
        for (std::size_t at; (at = next.fetch_add(batch)) < blocks.size();)
            for (std::size_t i = at; i < std::min(at + batch, blocks.size()); ++i) {
                block.fill(blocks[i] * block_size);
                for (std::size_t r = 0; r < kernels.size(); ++r)
                    sweep_block(*kernels[r], block, mine[r]);
            }
        const std::lock_guard lock(mutex);
        for (std::size_t r = 0; r < kernels.size(); ++r)
            total[r].merge(mine[r]);
    };
    std::vector<std::thread> crew;
    for (unsigned i = 1; i < threads; ++i)
        crew.emplace_back(work);
    work();
    for (std::thread &thread : crew)
        thread.join();
    return total;
}

/// Prints what was found of one kernel; returns the number of broken claims.
int judge(const Kernel &kernel, const Worst &w) {
    const bool exact = std::string_view(kernel.variant.name) == "exact";
    std::printf("%-26s |h - e^d| %.4e at %-14.9g bound %.4e",
                (std::string("weight/") + kernel.variant.name + "/" + kernel.isa).c_str(), w.error,
                static_cast<double>(w.at), kernel.variant.bound);
    if (exact)
        std::printf("; relative %.4e at %.9g, bound %.4e", w.relative,
                    static_cast<double>(w.relative_at), kernel.bound);
    std::printf("; %s\n", w.rises.times == 0 ? "monotone" : "not monotone");
    int failures = 0;
    const auto claim = [&](bool right, const char *what, double at) {
        if (!right) {
            std::printf("FAILED weight/%s/%s: %s at d = %.9g\n", kernel.variant.name, kernel.isa,
                        what, at);
            ++failures;
        }
    };
    claim(w.error <= kernel.variant.bound, "the error exceeds the bound",
          static_cast<double>(w.at));
    claim(!exact || w.relative <= kernel.bound, "the relative error exceeds the bound",
          static_cast<double>(w.relative_at));
    claim(!kernel.variant.monotone || w.rises.times == 0, "rises towards smaller d",
          static_cast<double>(w.rises.at));
    claim(w.negative.times == 0, "is negative or NaN", static_cast<double>(w.negative.at));
    claim(w.tails.times == 0, "isn't the tail below the domain", static_cast<double>(w.tails.at));
    float zero = 0, h = -1, minus_zero = -0.0f, h_minus = -1;
    fastsoftmax::call(kernel, fastsoftmax::WeightArguments<float>{&zero, &h, 1});
    fastsoftmax::call(kernel, fastsoftmax::WeightArguments<float>{&minus_zero, &h_minus, 1});
    claim(h == h_minus, "+0 and -0 differ", 0);
    return failures;
}

} // namespace

int main(int count, char **arguments) {
    Sample sample;
    unsigned threads = std::clamp(std::thread::hardware_concurrency(), 1u, 2u);
    for (int i = 1; i < count; ++i) {
        const std::string argument = arguments[i];
        if (argument == "--fast") {
            sample = {256, 0};
        } else if (unsigned long part = 0, parts = 0;
                   argument == "--part" && i + 1 < count &&
                   std::sscanf(arguments[i + 1], "%9lu/%9lu", &part, &parts) == 2 && parts > 0) {
            sample = {static_cast<std::uint32_t>(parts), static_cast<std::uint32_t>(part % parts)};
            ++i;
        } else if (argument == "--threads" && i + 1 < count) {
            threads = static_cast<unsigned>(std::max(1, std::atoi(arguments[++i])));
        } else {
            std::fprintf(stderr, "usage: weight_sweep [--fast | --part K/N] [--threads N]\n");
            return 2;
        }
    }
    std::vector<const Kernel *> kernels;
    for (const fastsoftmax::Isa &isa : fastsoftmax::all_isas())
        if (isa.available)
            for (const Kernel &kernel : isa.kernels)
                if (std::string(kernel.op) == "weight" && std::string(kernel.dtype) == "float32")
                    kernels.push_back(&kernel);
    const auto start = std::chrono::steady_clock::now();
    const std::vector<std::uint32_t> blocks = choose_blocks(kernels, sample);
    const std::vector<Worst> worst = sweep(kernels, blocks, threads);
    int failures = 0;
    for (std::size_t r = 0; r < kernels.size(); ++r)
        failures += judge(*kernels[r], worst[r]);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    std::printf("weight_sweep: %zu kernels, %.4g floats each, %u threads, %.0f s, %d failures\n",
                kernels.size(), kernels.empty() ? 0.0 : static_cast<double>(worst[0].points),
                threads, seconds.count(), failures);
    return failures == 0 && !kernels.empty() ? 0 : 1;
}
