// Arithmetic that CUDA has built in: conversions, bit counts, packed bytes.
#pragma once
#include "hostcuda.hpp"

#include <algorithm>
#include <cmath>

using std::max;
using std::min;

template <class T> T __ldg(const T *p) { return *p; }

inline int __float_as_int(float x) { return __builtin_bit_cast(int, x); }
inline unsigned __float_as_uint(float x) { return __builtin_bit_cast(unsigned, x); }
inline float __int_as_float(int x) { return __builtin_bit_cast(float, x); }
inline float __uint_as_float(unsigned x) { return __builtin_bit_cast(float, x); }
inline int __float2int_rn(float x) { return static_cast<int>(std::nearbyint(x)); }

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __clz(int x) { return x ? __builtin_clz(static_cast<unsigned>(x)) : 32; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline unsigned __umulhi(unsigned a, unsigned b) {
    return static_cast<unsigned>(std::uint64_t{a} * b >> 32);
}

/// Byte i of the result is byte (selector >> 4 i) & 7 of b:a, or its sign where bit 3 is set.
inline unsigned __byte_perm(unsigned a, unsigned b, unsigned selector) {
    const std::uint64_t bytes = std::uint64_t{b} << 32 | a;
    unsigned result = 0;
    for (int i = 0; i < 4; ++i) {
        const unsigned which = selector >> (4 * i) & 15;
        unsigned byte = static_cast<unsigned>(bytes >> (8 * (which & 7))) & 255;
        if (which & 8)
            byte = byte & 128 ? 255 : 0;
        result |= byte << (8 * i);
    }
    return result;
}

namespace hostcuda {

/// f of each pair of bytes, taken as T.
template <class T, class F> unsigned each_byte(unsigned a, unsigned b, F f) {
    unsigned result = 0;
    for (int i = 0; i < 32; i += 8) {
        const int byte = f(static_cast<T>(a >> i), static_cast<T>(b >> i));
        result |= (static_cast<unsigned>(byte) & 255u) << i;
    }
    return result;
}
/// sum of the products of bytes, taken as A and B, and c, modulo 2^32.
template <class A, class B> unsigned dot(unsigned a, unsigned b, unsigned c) {
    for (int i = 0; i < 32; i += 8)
        c += static_cast<unsigned>(int{static_cast<A>(a >> i)} * int{static_cast<B>(b >> i)});
    return c;
}

} // namespace hostcuda

#define HOSTCUDA_BYTES(name, T, expression)                                                        \
    inline unsigned name(unsigned a, unsigned b) {                                                 \
        return hostcuda::each_byte<T>(a, b, [](int x, int y) -> int { return expression; });       \
    }
HOSTCUDA_BYTES(__vmaxs4, std::int8_t, x > y ? x : y)
HOSTCUDA_BYTES(__vmins4, std::int8_t, x < y ? x : y)
HOSTCUDA_BYTES(__vmaxu4, std::uint8_t, x > y ? x : y)
HOSTCUDA_BYTES(__vminu4, std::uint8_t, x < y ? x : y)
HOSTCUDA_BYTES(__vadd4, std::uint8_t, x + y)
HOSTCUDA_BYTES(__vsub4, std::uint8_t, x - y)
HOSTCUDA_BYTES(__vsubus4, std::uint8_t, x > y ? x - y : 0)
#undef HOSTCUDA_BYTES

inline int __dp4a(int a, int b, int c) {
    return static_cast<int>(hostcuda::dot<std::int8_t, std::int8_t>(
        static_cast<unsigned>(a), static_cast<unsigned>(b), static_cast<unsigned>(c)));
}
inline unsigned __dp4a(unsigned a, unsigned b, unsigned c) {
    return hostcuda::dot<std::uint8_t, std::uint8_t>(a, b, c);
}
