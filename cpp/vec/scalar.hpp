// One lane: plain C++ arithmetic, for x86-64 without vector code and for any Armv8.
//
// Every speed-up is quoted against this, so the compiler must not vectorise it behind our back (the
// build says -fno-tree-vectorize) and the source must be as good as scalar code gets.
// FS_SCALAR_FUSED makes it scalar_fma, the same with a fused multiply-add. Device compilers use it
// as well: a GPU thread is one lane.
#pragma once
#include "common/half.hpp"
#include "vec/concept.hpp"
#include "vec/flush_denormals.hpp"
#include <cstdint>

#ifndef FS_SCALAR_FUSED // a GPU thread
#define FS_SCALAR_FUSED 0
#endif
#define FS_HAS_STEPWISE_KERNELS 1

namespace fastsoftmax::FS_ISA {
namespace {

template <class T> struct Bits;
template <> struct Bits<float> {
    using type = std::uint32_t;
    static constexpr int mantissa = 23;
};
template <> struct Bits<double> {
    using type = std::uint64_t;
    static constexpr int mantissa = 52;
};

template <class T> struct Scalar {
    using scalar = T;
    static constexpr int lanes = 1;
    static constexpr bool fused = FS_SCALAR_FUSED;
    T v;

    static FS_INLINE Scalar set(double a) { return {static_cast<T>(a)}; }
    static FS_INLINE Scalar load(const T *p) { return {*p}; }
    static FS_INLINE Scalar load_n(const T *, std::size_t, T fill) { return {fill}; }
    FS_INLINE void store(T *p) const { *p = v; }
    FS_INLINE void store_n(T *, std::size_t) const {}

    friend FS_INLINE Scalar operator+(Scalar a, Scalar b) { return {a.v + b.v}; }
    friend FS_INLINE Scalar operator-(Scalar a, Scalar b) { return {a.v - b.v}; }
    friend FS_INLINE Scalar operator*(Scalar a, Scalar b) { return {a.v * b.v}; }

    static FS_INLINE Scalar fma(Scalar a, Scalar b, Scalar c) {
        if constexpr (!fused)
            return a * b + c;
        else if constexpr (sizeof(T) == 4)
            return {__builtin_fmaf(a.v, b.v, c.v)};
        else
            return {__builtin_fma(a.v, b.v, c.v)};
    }
    static FS_INLINE Scalar fnma(Scalar a, Scalar b, Scalar c) { return fma({-a.v}, b, c); }
    static FS_INLINE Scalar fms(Scalar a, Scalar b, Scalar c) { return fma(a, b, {-c.v}); }

    static FS_INLINE Scalar max(Scalar a, Scalar b) { return opaque(a.v > b.v ? a.v : b.v); }
    static FS_INLINE Scalar min(Scalar a, Scalar b) { return opaque(a.v < b.v ? a.v : b.v); }
    static FS_INLINE Scalar abs(Scalar a) {
        if constexpr (sizeof(T) == 4)
            return {__builtin_fabsf(a.v)};
        else
            return {__builtin_fabs(a.v)};
    }
    static FS_INLINE Scalar greater(Scalar a, Scalar b) { return {a.v > b.v ? T(1) : T(0)}; }
    static FS_INLINE unsigned greater_mask(Scalar a, Scalar b) { return a.v > b.v ? 1 : 0; }
    static FS_INLINE Scalar zero_where_le(Scalar h, Scalar a, Scalar edge) {
        return {a.v <= edge.v ? T(0) : h.v};
    }
    static FS_INLINE Scalar power_of_two(Scalar t) {
        using U = typename Bits<T>::type;
        return {__builtin_bit_cast(T, __builtin_bit_cast(U, t.v) << Bits<T>::mantissa)};
    }
    static FS_INLINE Scalar lowest_where_le(Scalar h, Scalar a, Scalar edge) {
        return {a.v <= edge.v ? -static_cast<T>(__builtin_inf()) : h.v};
    }
    static FS_INLINE Scalar lowest_unless(Scalar h, const std::uint8_t *keep) {
        return {*keep ? h.v : -static_cast<T>(__builtin_inf())};
    }
    template <class Half> static FS_INLINE Scalar widen(const Half *p) { return {widened(*p)}; }
    template <class Half> FS_INLINE void narrow_to(Half *p) const { narrow(v, *p); }

    static FS_INLINE T reduce_max(Scalar a) { return a.v; }
    static FS_INLINE double reduce_add(Scalar a) { return a.v; }

  private:
    /// Hides from the compiler how a value was chosen. It would branch around what a clamped value
    /// leaves to be done, and logits around the clamp are hard to predict: a minimum or maximum
    /// instruction is twice as fast on real rows.
    static FS_INLINE Scalar opaque(T a) {
#if defined(__CUDA_ARCH__)
#elif defined(__x86_64__)
        __asm__("" : "+x"(a));
#elif defined(__aarch64__)
        __asm__("" : "+w"(a));
#endif
        return {a};
    }

  public:
};

using F32 = Scalar<float>;
using F64 = Scalar<double>;

} // namespace
} // namespace fastsoftmax::FS_ISA
