// The shapes of int8 rows that tests go through: check(batch) of each.
#pragma once
#include "int8_batch.hpp"

#include <string_view>

namespace hostcuda {

/// Whole vectors, in each class of kernel.
template <class Check> void aligned_rows(Random &g, bool brief, const Check &check_all) {
    for (const std::int64_t n : {16, 32, 48, 64, 80, 128, 256, 512, 1024, 1040, 2048}) {
        if (brief && n != 32 && n != 64 && n != 512)
            continue;
        const std::int64_t rows = n < 100 ? 70 : 9;
        Batch b(g, {1, rows, n, g.below(2) * 16, 0, Shape::unmasked, false});
        check_all(b);
    }
    if (!brief) { // more tiles than blocks
        Batch b(g, {1, 560, 1024, 0, 0, Shape::unmasked, false});
        check_all(b);
    }
}

/// Any length and layout, masks, and parameters that differ between rows.
template <class Check> void any_rows(Random &g, bool brief, const Check &check_all) {
    std::vector<std::int64_t> lengths = {1, 2, 5, 15, 17, 77, 500, 513, 2100};
    if (!brief)
        lengths.insert(lengths.end(), {3, 16, 31, 33, 47, 65, 130, 197, 300, 512, 520, 1100, 2049});
    for (const std::int64_t n : lengths)
        for (int masking = 0; masking < 3; ++masking) {
            const Shape shape{n > 300 ? 2 : 1 + g.below(3),
                              n > 1000 ? 1
                              : n > 40 ? 3
                                       : 1 + g.below(20),
                              n,
                              g.below(3) ? g.below(4) : 16 - n % 16,
                              static_cast<std::size_t>(g.below(3) ? g.below(5) : 0),
                              static_cast<decltype(Shape::masking)>(masking),
                              g.below(4) == 0};
            Batch b(g, shape);
            check_all(b);
        }
}

/// Sums that need 64 bits, or halving.
template <class Check> void long_rows(Random &g, const Check &check_all) {
    for (const std::int64_t n : {32767, 65536, 65537, 200000}) {
        Batch b(g, {1, 1, n, 0, 0, n % 2 ? Shape::own_mask : Shape::unmasked, false});
        check_all(b);
    }
}

/// All of them, in every schedule: check(batch, report, schedule). "brief", as sanitizers run it,
/// takes fewer, and one schedule.
template <class Check> int int8_main(int count, char **arguments, const Check &check) {
    const bool brief = count > 1 && std::string_view(arguments[1]) == "brief";
    Report report;
    Random g;
    options.multiprocessors = 1;
    const auto in_schedule = [&](const char *schedule) {
        const auto check_one = [&](Batch &b) { check(b, g, schedule, report); };
        aligned_rows(g, brief, check_one);
        any_rows(g, brief, check_one);
    };
    each_schedule(in_schedule, brief);
    if (!brief)
        long_rows(g, [&](Batch &b) { check(b, g, "long", report); });
    return report.finish();
}

} // namespace hostcuda
