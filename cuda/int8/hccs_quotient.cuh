// The quotients of HCCS, exact: an estimate by the special-function unit, whose error is known, and
// its remainder in integers.
#pragma once
#include "cuda/api/int8.hpp"
#include "cuda/device/compat.cuh"

#include "common/hccs.hpp"

namespace fastsoftmax::cuda {

/// floor(dividend / z), dividend below 2^24, if that is below 2^20; else large.
FS_DEVICE int exact_ratio(int dividend, int z) {
    int q = static_cast<int>(static_cast<float>(dividend) * rcp(static_cast<float>(z)));
    const int rest = dividend - q * z;
    q -= rest < 0;
    return q + (rest >= z);
}

FS_DEVICE int ceil_log2(unsigned z) { return 32 - __clz(static_cast<int>(z - 1)); }

/// floor(full * 2^(16 + h) / z) + 1, for 2^(h - 1) < z <= 2^h.
FS_DEVICE unsigned wide_reciprocal(unsigned full, unsigned z, int h) {
    constexpr float below = 1.0f - 0x1p-20f; // more than the estimates are off by
    const float inverse = rcp(static_cast<float>(z)) * below;
    const float scale = __builtin_bit_cast(float, (127 + 16 + h) << 23);
    const auto first = static_cast<unsigned>(static_cast<float>(full) * scale * inverse);
    std::uint64_t rest = (std::uint64_t{full} << (16 + h)) - std::uint64_t{first} * z;
    const auto second = static_cast<unsigned>(static_cast<float>(rest) * inverse);
    rest -= std::uint64_t{second} * z;
    return first + second + (rest >= z ? 2 : 1);
}

FS_DEVICE int hccs_quotient(HccsMode mode, int z) {
    if (mode == HccsMode::i16_div)
        return exact_ratio(32767, z);
    if (mode == HccsMode::i16_clb)
        return hccs::i16_clb::quotient(z);
    if (mode == HccsMode::i8_div)
        return min(exact_ratio(255 << 15, z), 32767);
    return hccs::i8_clb::quotient(z);
}

/// What a row's scores are multiplied by, and the largest score that fits (`clb` in bytes).
template <HccsScaling scaling, bool Limits> struct HccsScale {
    static constexpr bool limits = scaling == HccsScaling::shifted && Limits;
    unsigned factor, limit;

    static FS_DEVICE HccsScale of(HccsMode mode, unsigned full, unsigned z) {
        if constexpr (scaling == HccsScaling::nearest)
            return {wide_reciprocal(full, z, ceil_log2(z)), 0};
        const int q = hccs_quotient(mode, static_cast<int>(z));
        const int last = limits && z >= 256 ? exact_ratio((1 << 23) - 1, q) : 32767;
        return {static_cast<unsigned>(q), static_cast<unsigned>(last)};
    }
    FS_DEVICE HccsScale from_lane(int lane, int lanes) const {
        return {__shfl_sync(~0u, factor, lane, lanes),
                limits ? __shfl_sync(~0u, limit, lane, lanes) : limit};
    }
};

} // namespace fastsoftmax::cuda
