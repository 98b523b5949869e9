// The packed arithmetic of cuda/device/packed_bytes.cuh, as an architecture has it that doesn't
// compare words, against bytes one by one. (The kernels' own tests run that of sm_90.)
#define FS_CUDA_ARCH 750
#include "report.hpp"

#include "cuda/device/packed_bytes.cuh"
#include "cuda/int8/hccs_quotient.cuh"

#include <algorithm>
#include <random>

using namespace fastsoftmax;
using namespace fastsoftmax::cuda;
using hostcuda::Report;

namespace {

template <class F> unsigned bytewise(const F &f) {
    unsigned result = 0;
    for (int i = 0; i < 32; i += 8)
        result |= (static_cast<unsigned>(f(i)) & 255) << i;
    return result;
}
unsigned byte(unsigned a, int at) { return a >> at & 255; }

void check_bytes(std::mt19937 &random, Report &report) {
    bool largest_right = true, raised = true, masks = true, product = true;
    for (int turn = 0; turn < 20000; ++turn) {
        unsigned a[5] = {}, most = 0, pattern = static_cast<unsigned>(random());
        LargestByte largest;
        for (unsigned &word : a) {
            word = static_cast<unsigned>(random()) & (turn % 2 ? pattern : ~0u);
            largest.add(word);
            for (int i = 0; i < 32; i += 8)
                most = std::max(most, byte(word, i));
        }
        largest_right = largest_right && largest.value() == most;
        const unsigned floor = byte(a[1], 8);
        raised = raised && RaisedBytes(floor)(a[0]) ==
                               bytewise([&](int i) { return std::max(byte(a[0], i), floor); });
        masks = masks &&
                nonzero_masks(a[2]) == bytewise([&](int i) { return byte(a[2], i) ? 255u : 0u; });
        const unsigned slope = a[3] & 0xffff;
        product = product && plus_product<2>(a[4], slope, a[0]) == a[4] + slope * byte(a[0], 16) &&
                  plus_words(a[4], a[0]) == a[4] + (a[0] & 0xffff) + (a[0] >> 16);
    }
    report.check(largest_right, "the largest byte");
    report.check(raised, "raised bytes");
    report.check(masks, "masks of bytes that aren't 0");
    report.check(product, "sums and products");
}

/// Every Z of the modes with q, and as many of `wide`.
void check_quotients(std::mt19937 &random, Report &report) {
    bool ratio = true, reciprocal = true;
    for (int z = 1; z <= 32767; ++z)
        ratio = ratio && exact_ratio(32767, z) == 32767 / z &&
                std::min(exact_ratio(255 << 15, z), 32767) == std::min((255 << 15) / z, 32767);
    for (int turn = 0; turn < 200000; ++turn) {
        const unsigned z = std::max(static_cast<unsigned>(random()) >> (1 + turn % 31), 1u);
        const int h = ceil_log2(z);
        for (const unsigned full : {255u, 32767u})
            reciprocal =
                reciprocal && wide_reciprocal(full, z, h) ==
                                  static_cast<unsigned>((std::uint64_t{full} << (16 + h)) / z + 1);
    }
    report.check(ratio, "quotients");
    report.check(reciprocal, "reciprocals");
}

} // namespace

int main() {
    Report report;
    std::mt19937 random(1);
    hostcuda::each_schedule([&](const char *) { // for the jitter of the random one
        check_bytes(random, report);
        check_quotients(random, report);
    });
    return report.finish();
}
