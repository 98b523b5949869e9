// Every float of the domain through every float32 `weight` kernel: the proof of the claimed bounds.
//
//   weight_sweep [--fast] [--threads N]
//
// All 1.12e9 floats d from -0 down to -104 (and +0). For each kernel: |h - e^d| <= the bound of its
// variant, for the exact one also relative to e^d; h >= 0; never rising towards smaller d where
// monotone is claimed; exactly the tail below the domain. e^d is taken once, in double, for all
// kernels. The domain is cut into blocks; neighbouring blocks share one float, so that monotone
// holds across them.
//
// --fast takes one block in 256, and whole neighbourhoods of 0, the domain's edge, powers of two
// and the jumps that it finds between the blocks.
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
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace {

using fastsoftmax::KernelRow;

constexpr std::uint32_t sign = 0x80000000u;
constexpr std::uint32_t last = std::bit_cast<std::uint32_t>(-104.0f) - sign;
constexpr std::uint32_t block_size = 1024, vector_lanes = 8;
/// The exact variant's relative bound holds above this: below, weights are 0 or close to denormal.
constexpr float relative_from = -87.25f;

/// The float number i from -0 downwards.
float float_at(std::uint32_t i) { return std::bit_cast<float>(i | sign); }
std::uint32_t index_of(double d) {
    return std::bit_cast<std::uint32_t>(static_cast<float>(d)) & ~sign;
}

/// Floats number first .. first + block_size, both included, and their exponentials.
struct Block {
    static constexpr std::uint32_t count = block_size + vector_lanes; // a multiple of the lanes
    alignas(64) float d[count];
    alignas(64) double e[count];
    double inverse[count];

    void fill(std::uint32_t first) {
        for (std::uint32_t i = 0; i < count; ++i) {
            d[i] = float_at(std::min(first + i, last));
            e[i] = std::exp(static_cast<double>(d[i]));
            inverse[i] = 1 / e[i];
        }
    }
};

struct Worst {
    double error = 0, relative = 0;
    float at = 0, relative_at = 0;
    std::uint64_t points = 0, rises = 0, negative = 0, tails = 0;
    float rise_at = 0, negative_at = 0, tail_at = 0;

    void merge(const Worst &other) {
        if (other.error > error || std::isnan(other.error)) {
            error = other.error;
            at = other.at;
        }
        if (other.relative > relative) {
            relative = other.relative;
            relative_at = other.relative_at;
        }
        const auto add = [](std::uint64_t &n, float &place, std::uint64_t more, float more_at) {
            if (n == 0)
                place = more_at;
            n += more;
        };
        add(rises, rise_at, other.rises, other.rise_at);
        add(negative, negative_at, other.negative, other.negative_at);
        add(tails, tail_at, other.tails, other.tail_at);
        points += other.points;
    }
};

typedef double Doubles __attribute__((vector_size(vector_lanes * sizeof(double))));
typedef float Floats __attribute__((vector_size(vector_lanes * sizeof(float))));

/// Largest |a[i] - b[i] * scale[i]|, NaN if any of them is. Vectors by hand: a maximum that minds
/// NaN isn't vectorised by the compiler.
template <class Error> double largest(const Error &error) {
    Doubles most{}, spoilt{};
    for (std::uint32_t i = 0; i < Block::count; i += vector_lanes) {
        const Doubles e = error(i);
        most = e > most ? e : most;
        spoilt += e - e; // 0, or NaN for ever
    }
    double result = 0;
    for (std::uint32_t j = 0; j < vector_lanes; ++j)
        result = spoilt[j] == 0 ? std::max(result, most[j]) : NAN;
    return result;
}

template <class V, class T> V load(const T *from) {
    V to;
    __builtin_memcpy(&to, from, sizeof to);
    return to;
}
Doubles magnitude(Doubles a) { return a < 0 ? -a : a; }

/// Runs one kernel over a block and adds what is found to `worst`.
void sweep_block(const KernelRow &row, const Block &block, Worst &worst) {
    alignas(64) float h[Block::count];
    fastsoftmax::call(row, fastsoftmax::WeightArguments<float>{block.d, h, Block::count});
    worst.points += block_size;

    const auto absolute = [&](std::uint32_t i) {
        return magnitude(__builtin_convertvector(load<Floats>(h + i), Doubles) -
                         load<Doubles>(block.e + i));
    };
    const auto relative = [&](std::uint32_t i) {
        return absolute(i) * load<Doubles>(block.inverse + i);
    };
    const double error = largest(absolute);
    if (!(error <= worst.error)) {
        worst.error = error;
        for (std::uint32_t i = 0; i < Block::count; ++i)
            if (const double here = std::abs(h[i] - block.e[i]); !(here < error))
                worst.at = block.d[i];
    }
    if (std::string_view(row.variant.name) == "exact" && block.d[Block::count - 1] > relative_from)
        if (const double r = largest(relative); r > worst.relative) {
            worst.relative = r;
            for (std::uint32_t i = 0; i < Block::count; ++i)
                if (std::abs(h[i] - block.e[i]) * block.inverse[i] >= r)
                    worst.relative_at = block.d[i];
        }

    std::uint32_t rises = 0, negative = 0;
    for (std::uint32_t i = 0; i + 1 < Block::count; ++i)
        rises += h[i + 1] > h[i];
    for (std::uint32_t i = 0; i < Block::count; ++i)
        negative += !(h[i] >= 0) || std::signbit(h[i]);
    if (rises || negative)
        for (std::uint32_t i = 0; i < Block::count; ++i) {
            if (i + 1 < Block::count && h[i + 1] > h[i])
                worst.rise_at = block.d[i + 1];
            if (!(h[i] >= 0) || std::signbit(h[i]))
                worst.negative_at = block.d[i];
        }
    worst.rises += rises;
    worst.negative += negative;
    if (static_cast<double>(block.d[Block::count - 1]) < row.variant.domain)
        for (std::uint32_t i = 0; i < Block::count; ++i)
            if (static_cast<double>(block.d[i]) < row.variant.domain &&
                h[i] != static_cast<float>(row.variant.tail)) {
                ++worst.tails;
                worst.tail_at = block.d[i];
            }
}

/// Where h changes far more than e^d does between two sampled floats: halved down to one block.
void find_jumps(const KernelRow &row, std::uint32_t from, std::uint32_t to,
                std::set<std::uint32_t> &blocks) {
    const auto h = [&row](std::uint32_t i) {
        const float d = float_at(i);
        float result = 0;
        fastsoftmax::call(row, fastsoftmax::WeightArguments<float>{&d, &result, 1});
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

/// Numbers of the blocks to look at.
std::vector<std::uint32_t> choose_blocks(const std::vector<const KernelRow *> &rows, bool fast) {
    const std::uint32_t all = last / block_size + 1, stride = fast ? 256 : 1;
    std::set<std::uint32_t> extra;
    std::vector<std::uint32_t> chosen;
    for (std::uint32_t block = 0; block < all; block += stride)
        chosen.push_back(block);
    if (!fast)
        return chosen;
    std::vector<double> places{0, -104};
    for (int power = -126; power <= 6; ++power)
        places.push_back(-std::ldexp(1, power));
    for (const KernelRow *row : rows) {
        places.push_back(row->variant.domain);
        for (std::uint32_t block = 0; block + stride < all; block += stride)
            find_jumps(*row, block * block_size, (block + stride) * block_size, extra);
    }
    for (const double place : places)
        extra.insert(index_of(place) / block_size);
    for (const std::uint32_t block : extra)
        for (std::uint32_t near = block > 4 ? block - 4 : 0; near <= block + 4; ++near)
            chosen.push_back(std::min(near, all - 1));
    return chosen;
}

std::vector<Worst> sweep(const std::vector<const KernelRow *> &rows,
                         const std::vector<std::uint32_t> &blocks, unsigned threads) {
    std::vector<Worst> total(rows.size());
    std::mutex mutex;
    std::atomic<std::size_t> next{0};
    constexpr std::size_t batch = 64;
    const auto work = [&] {
        std::vector<Worst> mine(rows.size());
        Block block;
        for (std::size_t at; (at = next.fetch_add(batch)) < blocks.size();)
            for (std::size_t i = at; i < std::min(at + batch, blocks.size()); ++i) {
                block.fill(blocks[i] * block_size);
                for (std::size_t r = 0; r < rows.size(); ++r)
                    sweep_block(*rows[r], block, mine[r]);
            }
        const std::lock_guard lock(mutex);
        for (std::size_t r = 0; r < rows.size(); ++r)
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
int judge(const KernelRow &row, const Worst &w) {
    const bool exact = std::string_view(row.variant.name) == "exact";
    std::printf("%-26s |h - e^d| %.4e at %-14.9g bound %.4e",
                (std::string("weight/") + row.variant.name + "/" + row.isa).c_str(), w.error,
                static_cast<double>(w.at), row.variant.bound);
    if (exact)
        std::printf("; relative %.4e at %.9g, bound %.4e", w.relative,
                    static_cast<double>(w.relative_at), row.bound);
    std::printf("; %s\n", w.rises == 0 ? "monotone" : "not monotone");
    int failures = 0;
    const auto claim = [&](bool right, const char *what, double at) {
        if (!right) {
            std::printf("FAILED weight/%s/%s: %s at d = %.9g\n", row.variant.name, row.isa, what,
                        at);
            ++failures;
        }
    };
    claim(w.error <= row.variant.bound, "the error exceeds the bound", static_cast<double>(w.at));
    claim(!exact || w.relative <= row.bound, "the relative error exceeds the bound",
          static_cast<double>(w.relative_at));
    claim(!row.variant.monotone || w.rises == 0, "rises towards smaller d",
          static_cast<double>(w.rise_at));
    claim(w.negative == 0, "is negative or NaN", static_cast<double>(w.negative_at));
    claim(w.tails == 0, "isn't the tail below the domain", static_cast<double>(w.tail_at));
    float zero = 0, h = -1, minus_zero = -0.0f, h_minus = -1;
    fastsoftmax::call(row, fastsoftmax::WeightArguments<float>{&zero, &h, 1});
    fastsoftmax::call(row, fastsoftmax::WeightArguments<float>{&minus_zero, &h_minus, 1});
    claim(h == h_minus, "+0 and -0 differ", 0);
    return failures;
}

} // namespace

int main(int count, char **arguments) {
    bool fast = false;
    unsigned threads = std::clamp(std::thread::hardware_concurrency(), 1u, 2u);
    for (int i = 1; i < count; ++i) {
        const std::string argument = arguments[i];
        if (argument == "--fast") {
            fast = true;
        } else if (argument == "--threads" && i + 1 < count) {
            threads = static_cast<unsigned>(std::max(1, std::atoi(arguments[++i])));
        } else {
            std::fprintf(stderr, "usage: weight_sweep [--fast] [--threads N]\n");
            return 2;
        }
    }
    std::vector<const KernelRow *> rows;
    for (const fastsoftmax::Isa &isa : fastsoftmax::all_isas())
        if (isa.available)
            for (const KernelRow &row : isa.rows)
                if (std::string(row.op) == "weight" && std::string(row.dtype) == "float32")
                    rows.push_back(&row);
    const auto start = std::chrono::steady_clock::now();
    const std::vector<std::uint32_t> blocks = choose_blocks(rows, fast);
    const std::vector<Worst> worst = sweep(rows, blocks, threads);
    int failures = 0;
    for (std::size_t r = 0; r < rows.size(); ++r)
        failures += judge(*rows[r], worst[r]);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    std::printf("weight_sweep: %zu kernels, %.4g floats each, %u threads, %.0f s, %d failures\n",
                rows.size(), rows.empty() ? 0.0 : static_cast<double>(worst[0].points), threads,
                seconds.count(), failures);
    return failures == 0 && !rows.empty() ? 0 : 1;
}
