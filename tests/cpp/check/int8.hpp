// The int8 operations to the letter, one row at a time in 64-bit integers.
#pragma once
#include "kernels/arguments.hpp"

#include <cmath>
#include <cstdint>
#include <string_view>
#include <vector>

namespace check {

/// Distances from the maximum; -1 where a position is left out.
inline std::vector<int> distances(const std::int8_t *x, const std::uint8_t *mask, std::size_t n) {
    int m = -128;
    for (std::size_t i = 0; i < n; ++i)
        if ((!mask || mask[i]) && x[i] > m)
            m = x[i];
    std::vector<int> d(n, -1);
    for (std::size_t i = 0; i < n; ++i)
        if (!mask || mask[i])
            d[i] = m - x[i];
    return d;
}

inline std::int64_t hccs_result(std::string_view mode, std::int64_t s, std::int64_t z, bool bytes) {
    const int k = 63 - __builtin_clzll(static_cast<unsigned long long>(z));
    const auto least = [](std::int64_t a, std::int64_t b) { return a < b ? a : b; };
    if (mode == "i16+div")
        return least(s * (32767 / z), 32767);
    if (mode == "i16+clb")
        return least(s * (32767 >> k), 32767);
    if (mode == "i8+div")
        return least((s * least((255 << 15) / z, 32767)) >> 15, 255);
    if (mode == "i8+clb")
        return least((s * least(255 << (15 - k), 32767)) >> 15, 255);
    return (2 * (bytes ? 255 : 32767) * s + z) / (2 * z);
}

inline std::vector<int> hccs_row(std::string_view mode, const std::vector<int> &d,
                                 const fastsoftmax::HccsArguments &a) {
    std::vector<std::int64_t> s(d.size());
    std::int64_t z = 0;
    for (std::size_t i = 0; i < d.size(); ++i)
        z += s[i] = d[i] < 0 ? 0 : a.B - std::int64_t{a.S} * (d[i] < a.Dmax ? d[i] : a.Dmax);
    std::vector<int> p(d.size(), 0);
    for (std::size_t i = 0; i < d.size(); ++i)
        if (d[i] >= 0)
            p[i] = static_cast<int>(hccs_result(mode, s[i], z, a.bytes));
    return p;
}

inline std::vector<int> table_row(bool words, const std::vector<int> &d,
                                  const fastsoftmax::ByteTableArguments &a) {
    std::vector<std::int64_t> e(d.size());
    std::int64_t z = 0;
    for (std::size_t i = 0; i < d.size(); ++i) {
        if (d[i] >= 0) {
            const int entry = (a.A[d[i] >> 4] * a.B[d[i] & 15] + 0x4000) >> 15;
            e[i] = words ? entry : (255 * entry + 0x4000) >> 15;
        }
        z += e[i];
    }
    std::vector<int> p(d.size(), 0);
    if (z == 0) // nothing is left in the row
        return p;
    int halvings = 0;
    const std::size_t most = words ? 65536 : 1 << 23;
    while ((most << halvings) < d.size())
        ++halvings;
    const float total = static_cast<float>((z + (1 << halvings) - 1) >> halvings);
    int exponent = 0;
    const float mantissa = 2 * std::frexp(total, &exponent); // in [1, 2)
    const int extra = a.bytes ? 7 : 0, full = a.bytes ? 255 : 32767, bits = words ? 15 : 8;
    const int k = exponent - 1 + halvings + extra - bits;
    std::int64_t q = static_cast<std::int64_t>(static_cast<float>(full << extra) / mantissa + 0.5f);
    q = k < 0 ? 2 * q : q;
    for (std::size_t i = 0; i < d.size(); ++i)
        if (e[i] && k <= 16) {
            const std::int64_t round = k > 0 ? 1 << (k - 1) : 0;
            const std::int64_t rounded = ((e[i] * q >> bits) + round) >> (k > 0 ? k : 0);
            p[i] = static_cast<int>(rounded < full ? rounded : full);
        }
    return p;
}

} // namespace check
