// Sixteen bytes of memory as numbers: one load or store, whatever the type.
//
// Halves go in and out as whole words: a struct of half2 is loaded by 4 bytes each (nvcc 13.0).
#pragma once
#include "cuda/device/lane.cuh"

#include "fastsoftmax/half.hpp"

namespace fastsoftmax::cuda {

/// What numbers stored as S are computed in.
template <class S> using Computed = std::conditional_t<std::is_same_v<S, double>, double, float>;
template <class S> inline constexpr int per_vector = 16 / sizeof(S);

FS_DEVICE float widened_one(float x) { return x; }
FS_DEVICE double widened_one(double x) { return x; }
FS_DEVICE float widened_one(float16 x) { return widened_half2(x.bits).x; }
FS_DEVICE float widened_one(bfloat16 x) {
    return __builtin_bit_cast(float, unsigned{x.bits} << 16);
}

FS_DEVICE void narrow_one(float x, float &to) { to = x; }
FS_DEVICE void narrow_one(double x, double &to) { to = x; }
FS_DEVICE void narrow_one(float x, float16 &to) {
    to.bits = static_cast<std::uint16_t>(narrowed_half2(x, x));
}
FS_DEVICE void narrow_one(float x, bfloat16 &to) {
    to.bits = static_cast<std::uint16_t>(narrowed_bfloat2(x, x));
}

/// v[0 .. per_vector) from an aligned address.
FS_DEVICE void load_vector(const float *p, float *v) {
    const auto *const from = reinterpret_cast<const float4 *>(p);
    check_aligned(from);
    const float4 q = *from;
    v[0] = q.x, v[1] = q.y, v[2] = q.z, v[3] = q.w;
}
FS_DEVICE void load_vector(const double *p, double *v) {
    const auto *const from = reinterpret_cast<const double2 *>(p);
    check_aligned(from);
    const double2 q = *from;
    v[0] = q.x, v[1] = q.y;
}
FS_DEVICE uint4 load_words(const void *p) {
    const auto *const from = static_cast<const uint4 *>(p);
    check_aligned(from);
    return *from;
}
FS_DEVICE void load_vector(const float16 *p, float *v) {
    const uint4 q = load_words(p);
    const unsigned words[4] = {q.x, q.y, q.z, q.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        const float2 pair = widened_half2(words[i]);
        v[2 * i] = pair.x, v[2 * i + 1] = pair.y;
    }
}
FS_DEVICE void load_vector(const bfloat16 *p, float *v) {
    const uint4 q = load_words(p);
    const unsigned words[4] = {q.x, q.y, q.z, q.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        v[2 * i] = __builtin_bit_cast(float, words[i] << 16);
        v[2 * i + 1] = __builtin_bit_cast(float, words[i] & 0xffff0000u);
    }
}

FS_DEVICE void store_vector(float *p, const float *v) {
    auto *const to = reinterpret_cast<float4 *>(p);
    check_aligned(to);
    *to = make_float4(v[0], v[1], v[2], v[3]);
}
FS_DEVICE void store_vector(double *p, const double *v) {
    auto *const to = reinterpret_cast<double2 *>(p);
    check_aligned(to);
    *to = make_double2(v[0], v[1]);
}
template <class Half> FS_DEVICE void store_halves(Half *p, const float *v) {
    unsigned words[4];
#pragma unroll
    for (int i = 0; i < 4; ++i)
        if constexpr (std::is_same_v<Half, float16>)
            words[i] = narrowed_half2(v[2 * i], v[2 * i + 1]);
        else
            words[i] = narrowed_bfloat2(v[2 * i], v[2 * i + 1]);
    auto *const to = reinterpret_cast<uint4 *>(p);
    check_aligned(to);
    *to = make_uint4(words[0], words[1], words[2], words[3]);
}
FS_DEVICE void store_vector(float16 *p, const float *v) { store_halves(p, v); }
FS_DEVICE void store_vector(bfloat16 *p, const float *v) { store_halves(p, v); }

} // namespace fastsoftmax::cuda
