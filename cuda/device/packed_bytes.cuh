// Four bytes or two 16-bit words in a register, and what a GPU does with all of them at once.
//
// No GPU since Kepler compares bytes in one instruction, so the bytes' top bits serve as carries
// that can't spread. sm_90 and later compare words; sm_75 and later have dot products.
#pragma once
#include "cuda/device/compat.cuh"

namespace fastsoftmax::cuda {

/// Hides how a value was made: the compiler would take f * a + f * b for f * (a + b), which costs a
/// product more wherever f * a and f * b are known already.
FS_DEVICE unsigned opaque(unsigned a) {
#if defined(__CUDA_ARCH__)
    asm("" : "+r"(a));
#endif
    return a;
}

FS_DEVICE unsigned four(unsigned byte) { return byte * 0x01010101u; }

/// Any function of three bits, for all bits of three registers: f(0xf0, 0xcc, 0xaa) is Table.
/// Spelled out, since the compiler spreads the constants around it over several instructions.
template <unsigned Table> FS_DEVICE unsigned bitwise(unsigned a, unsigned b, unsigned c) {
#if defined(__CUDA_ARCH__)
    unsigned result;
    asm("lop3.b32 %0, %1, %2, %3, %4;" : "=r"(result) : "r"(a), "r"(b), "r"(c), "n"(Table));
    return result;
#else
    unsigned result = 0;
    for (unsigned i = 0; i < 8; ++i)
        if (Table >> i & 1)
            result |= (i & 4 ? a : ~a) & (i & 2 ? b : ~b) & (i & 1 ? c : ~c);
    return result;
#endif
}

/// The bytes that the selector names, four bits each: 0..3 of a, 4..7 of b.
FS_DEVICE unsigned permuted(unsigned a, unsigned b, unsigned selector) {
    return __byte_perm(a, b, selector);
}
/// 0xff where a byte's top bit is set, else 0.
FS_DEVICE unsigned sign_masks(unsigned a) { return permuted(a, 0, 0xba98); }
/// 0xff where a byte is not 0.
FS_DEVICE unsigned nonzero_masks(unsigned a) {
    return sign_masks(((a & 0x7f7f7f7fu) + 0x7f7f7f7fu) | a);
}
/// Bytes 0 and 1, or 2 and 3, as words.
FS_DEVICE unsigned low_pair(unsigned a) { return permuted(a, 0, 0x4140); }
FS_DEVICE unsigned high_pair(unsigned a) { return permuted(a, 0, 0x4342); }
/// The bytes above the lowest 16 bits of four registers.
FS_DEVICE unsigned third_bytes(unsigned a, unsigned b, unsigned c, unsigned d) {
    return permuted(permuted(a, b, 0x0062), permuted(c, d, 0x0062), 0x5410);
}
/// The lowest bytes of four registers.
FS_DEVICE unsigned bottom_bytes(unsigned a, unsigned b, unsigned c, unsigned d) {
    return permuted(permuted(a, b, 0x0040), permuted(c, d, 0x0040), 0x5410);
}

/// sum + all four bytes.
FS_DEVICE unsigned plus_bytes(unsigned sum, unsigned a) { return __dp4a(a, 0x01010101u, sum); }
/// sum + both words.
FS_DEVICE unsigned plus_words(unsigned sum, unsigned a) {
#if defined(__CUDACC__)
    return __dp2a_lo(a, 0x0101u, sum);
#else
    return sum + (a & 0xffff) + (a >> 16);
#endif
}

/// base + slope * byte I of c, slope below 2^16: no instruction to extract the byte.
template <int I> FS_DEVICE unsigned plus_product(unsigned base, unsigned slope, unsigned c) {
#if defined(__CUDACC__)
    slope = I % 2 ? slope << 16 : slope;
    return I < 2 ? __dp2a_lo(slope, c, base) : __dp2a_hi(slope, c, base);
#else
    return base + slope * (c >> (8 * I) & 255);
#endif
}

FS_DEVICE unsigned min_words(unsigned a, unsigned b) {
#if defined(__CUDACC__)
    return __vminu2(a, b);
#else
    const unsigned low = min(a & 0xffff, b & 0xffff);
    return low | min(a >> 16, b >> 16) << 16;
#endif
}
FS_DEVICE unsigned max_words(unsigned a, unsigned b) {
#if defined(__CUDACC__)
    return __vmaxu2(a, b);
#else
    const unsigned low = max(a & 0xffff, b & 0xffff);
    return low | max(a >> 16, b >> 16) << 16;
#endif
}

/// The largest of many unsigned bytes. Where words compare in one instruction, a word's upper byte
/// decides, whatever the lower one holds: each register is looked at twice, shifted by a byte.
class LargestByte {
    unsigned odd_ = 0;
#if FS_CUDA_ARCH >= 900
    unsigned even_ = 0;
#endif

  public:
    FS_DEVICE void add(unsigned a) {
#if FS_CUDA_ARCH >= 900
        odd_ = max_words(odd_, a);
        even_ = max_words(even_, a << 8);
#else
        odd_ = __vmaxu4(odd_, a);
#endif
    }
    FS_DEVICE unsigned value() const {
#if FS_CUDA_ARCH >= 900
        const unsigned both = max_words(odd_, even_);
        return max(both >> 24, both >> 8 & 255);
#else
        const unsigned pair = max(odd_ & 0x00ff00ffu, odd_ >> 8 & 0x00ff00ffu); // upper word right
        const unsigned low = max(odd_ & 255, odd_ >> 8 & 255);
        return max(pair >> 16, low);
#endif
    }
};

/// max(byte, floor) of all four bytes, with what depends on the floor alone prepared.
class RaisedBytes {
    unsigned floor_;

  public:
    explicit FS_DEVICE RaisedBytes(unsigned floor) : floor_(four(floor)) {}

    FS_DEVICE unsigned operator()(unsigned a) const {
        // top bit of `carry`: the low seven bits reach those of the floor
        const unsigned carry = bitwise<0xfc>(a, 0x80808080u, 0) - (floor_ & 0x7f7f7f7fu);
        // floor ? a & carry : a | carry, then keep ? a : floor
        return bitwise<0xca>(sign_masks(bitwise<0x8e>(floor_, a, carry)), a, floor_);
    }
};

} // namespace fastsoftmax::cuda
