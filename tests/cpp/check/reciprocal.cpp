// The reciprocal by which `wide` divides, against the division: every small case, and many that lie
// next to a half, where a result is cut one way or the other.
#include "check/checks.hpp"
#include "common/hccs.hpp"

#include <random>

namespace check {
namespace {

using fastsoftmax::doublings_of;
using fastsoftmax::Reciprocal;

/// A score, the sum, the largest score: 1 <= s <= b <= z.
struct Score {
    std::int64_t s, z, b;
};

std::int64_t by_reciprocal(const Score &score, int full) {
    const int doublings = doublings_of(static_cast<int>(score.b));
    const Reciprocal by =
        fastsoftmax::reciprocal_of(static_cast<std::int32_t>(score.z), full, doublings);
    const auto bits = [](std::int32_t word) { return static_cast<std::uint64_t>(word); };
    const std::uint64_t r = bits(-by.above) << 32 | bits(by.high) << 16 | bits(by.low);
    const std::uint64_t s = static_cast<std::uint64_t>(score.s) << doublings;
    const std::uint64_t t = (s * r + 0x10000) >> 32;
    return static_cast<std::int64_t>(((t >> by.shift) + 1) >> 1);
}

void compare(const Score &score, int full, Report &report) {
    const std::int64_t want = (2 * full * score.s + score.z) / (2 * score.z);
    if (by_reciprocal(score, full) != want)
        report.fail(text("reciprocal of %.0f, largest score %.0f, full %.0f: wrong for score %.0f",
                         score.z, score.b, full, score.s));
}

/// full * s / z next to a half, if there is such an s up to b.
std::int64_t near_half(std::int64_t z, std::int64_t b, int full, std::mt19937_64 &g) {
    const auto half = static_cast<std::int64_t>(2 * (g() % static_cast<unsigned>(full)) + 1);
    const auto off = static_cast<std::int64_t>(g() % 2);
    return std::min(b, std::max<std::int64_t>(1, half * z / (2 * full) + off));
}

} // namespace

void check_reciprocal(Report &report) {
    std::mt19937_64 g(33);
    for (const int full : {255, 32767}) {
        for (std::int64_t b = 1; b < 100; ++b)
            for (std::int64_t z = b; z < 500; ++z)
                for (std::int64_t s = 1; s <= b; ++s)
                    compare({s, z, b}, full, report);
        for (int i = 0; i < 1000000; ++i) {
            const auto b = static_cast<std::int64_t>(1 + g() % 32767);
            const auto most = static_cast<std::uint64_t>(b) << g() % 17;
            const auto z =
                std::min<std::int64_t>(2147483647, b + static_cast<std::int64_t>(g() % most));
            compare({near_half(z, b, full, g), z, b}, full, report);
        }
    }
}

} // namespace check
