// Sixteen bytes of a row in registers: what a thread loads and stores at a time.
//
// Whole aligned pieces move as one vector. Others move by words where the address allows, else, as
// at the end of a row, byte by byte: nothing outside the row is touched.
#pragma once
#include "cuda/device/compat.cuh"

namespace fastsoftmax::cuda {

struct ByteVector {
    unsigned word[4];
};

__host__ FS_DEVICE bool aligned_to(const void *p, unsigned size) {
    return (reinterpret_cast<std::uintptr_t>(p) & (size - 1)) == 0;
}

FS_DEVICE ByteVector load_vector(const void *from) {
    const auto *p = static_cast<const uint4 *>(from);
    check_aligned(p);
    const uint4 v = *p;
    return {{v.x, v.y, v.z, v.w}};
}
FS_DEVICE void store_vector(void *to, unsigned a, unsigned b, unsigned c, unsigned d) {
    auto *p = static_cast<uint4 *>(to);
    check_aligned(p);
    *p = make_uint4(a, b, c, d);
}

/// The first `count` bytes (any number: none, or more than sixteen), then `fill`.
FS_DEVICE ByteVector load_up_to(const void *from, std::int64_t count, unsigned fill) {
    if (count >= 16 && aligned_to(from, 16))
        return load_vector(from);
    ByteVector piece;
    const auto *bytes = static_cast<const std::uint8_t *>(from);
    const bool words = count >= 16 && aligned_to(from, 4);
#pragma unroll
    for (int j = 0; j < 4; ++j) {
        if (words) {
            piece.word[j] = static_cast<const unsigned *>(from)[j];
            continue;
        }
        unsigned word = 0;
#pragma unroll 1 // a loop: it isn't the usual way, and code for sixteen bytes is long
        for (int b = 0; b < 4; ++b)
            word |= (4 * j + b < count ? unsigned{bytes[4 * j + b]} : fill) << (8 * b);
        piece.word[j] = word;
    }
    return piece;
}

/// 0xff in the first `count` bytes (any number), else 0.
FS_DEVICE ByteVector first_bytes(std::int64_t count) {
    ByteVector piece;
#pragma unroll
    for (int j = 0; j < 4; ++j) {
        const int here =
            static_cast<int>(max(min(count - 4 * j, std::int64_t{4}), std::int64_t{0}));
        piece.word[j] = here == 4 ? ~0u : (1u << (8 * here)) - 1;
    }
    return piece;
}

/// Sixteen elements of T, a byte or two bytes wide, from N = 4 or 8 registers.
template <class T, int N> FS_DEVICE void store_vectors(T *to, const unsigned (&a)[N]) {
#pragma unroll
    for (int j = 0; j < N; j += 4)
        store_vector(to + j * 4 / static_cast<int>(sizeof(T)), a[j], a[j + 1], a[j + 2], a[j + 3]);
}
/// The first `count` of them.
template <class T, int N>
FS_DEVICE void store_up_to(T *to, std::int64_t count, const unsigned (&a)[N]) {
    if (count >= 16 && aligned_to(to, 16))
        return store_vectors(to, a);
    constexpr int each = 4 / static_cast<int>(sizeof(T)), bits = 8 * static_cast<int>(sizeof(T));
    const bool words = count >= 16 && aligned_to(to, 4);
#pragma unroll
    for (int j = 0; j < N; ++j) {
        if (words) {
            reinterpret_cast<unsigned *>(to)[j] = a[j];
            continue;
        }
#pragma unroll 1
        for (int k = 0; k < each; ++k)
            if (each * j + k < count)
                to[each * j + k] = static_cast<T>(a[j] >> (bits * k));
    }
}

} // namespace fastsoftmax::cuda
