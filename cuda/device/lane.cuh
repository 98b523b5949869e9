// The vector type of a GPU thread: one lane, with fused multiply-add (vec/concept.hpp).
//
// As vec/scalar.hpp, but that a kernel is no instruction set's object: nothing here need be hidden.
// NaN that a GPU computes is 0x7fffffff, not 0x7fc00000; the host build shows it so.
#pragma once
#include "cuda/device/compat.cuh"

#include "common/half.hpp"
#include "vec/concept.hpp"

namespace fastsoftmax::cuda {

template <class T> struct Lane {
    using scalar = T;
    using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
    static constexpr int lanes = 1, mantissa = sizeof(T) == 4 ? 23 : 52;
    static constexpr bool fused = true;
    T v;

    static FS_INLINE Lane set(double a) { return {static_cast<T>(a)}; }
    static FS_INLINE Lane load(const T *p) { return {*p}; }
    static FS_INLINE Lane load_n(const T *, std::size_t, T fill) { return {fill}; }
    FS_INLINE void store(T *p) const { *p = v; }
    FS_INLINE void store_n(T *, std::size_t) const {}

    friend FS_INLINE Lane operator+(Lane a, Lane b) { return {canonical(a.v + b.v)}; }
    friend FS_INLINE Lane operator-(Lane a, Lane b) { return {canonical(a.v - b.v)}; }
    friend FS_INLINE Lane operator*(Lane a, Lane b) { return {canonical(a.v * b.v)}; }

    static FS_INLINE Lane fma(Lane a, Lane b, Lane c) {
        if constexpr (sizeof(T) == 4)
            return {canonical(__builtin_fmaf(a.v, b.v, c.v))};
        else
            return {canonical(__builtin_fma(a.v, b.v, c.v))};
    }
    static FS_INLINE Lane fnma(Lane a, Lane b, Lane c) { return fma({-a.v}, b, c); }
    static FS_INLINE Lane fms(Lane a, Lane b, Lane c) { return fma(a, b, {-c.v}); }

    static FS_INLINE Lane max(Lane a, Lane b) { return {a.v > b.v ? a.v : b.v}; }
    static FS_INLINE Lane min(Lane a, Lane b) { return {a.v < b.v ? a.v : b.v}; }
    static FS_INLINE Lane abs(Lane a) {
        if constexpr (sizeof(T) == 4)
            return {__builtin_fabsf(a.v)};
        else
            return {__builtin_fabs(a.v)};
    }
    static FS_INLINE Lane greater(Lane a, Lane b) { return {a.v > b.v ? T(1) : T(0)}; }
    static FS_INLINE unsigned greater_mask(Lane a, Lane b) { return a.v > b.v ? 1 : 0; }
    static FS_INLINE Lane zero_where_le(Lane h, Lane a, Lane edge) {
        return {a.v <= edge.v ? T(0) : h.v};
    }
    static FS_INLINE Lane power_of_two(Lane t) {
        return {__builtin_bit_cast(T, __builtin_bit_cast(Bits, t.v) << mantissa)};
    }
    static FS_INLINE Lane lowest_where_le(Lane h, Lane a, Lane edge) {
        return {a.v <= edge.v ? -static_cast<T>(__builtin_inf()) : h.v};
    }
    static FS_INLINE T reduce_max(Lane a) { return a.v; }
    static FS_INLINE double reduce_add(Lane a) { return a.v; }
};

static_assert(Vector<Lane<float>> && Vector<Lane<double>>);

/// The larger one, NaN passed over.
FS_INLINE float larger(float a, float b) { return __builtin_fmaxf(a, b); }
FS_INLINE double larger(double a, double b) { return __builtin_fmax(a, b); }

template <class T> FS_INLINE constexpr T infinity() { return static_cast<T>(__builtin_inf()); }
template <class T> FS_INLINE constexpr T not_a_number() {
    return static_cast<T>(__builtin_nan(""));
}

} // namespace fastsoftmax::cuda
