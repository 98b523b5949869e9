// exp by the special-function unit, and by the FMA units for a share of the elements.
//
//   weight(x) = 2^t,  t = x * log2 e - n,  n = floor(m * log2 e);   as t = k + f, k = rint(t), by
//   ex2(t), or 2^k * p(f) with p the polynomial of poly4
//
// On a GPU ex2 is one instruction, but of the unit that has fewest lanes: 16 results per clock and
// multiprocessor, against 128 of FMA. Where other work fills the FMA units, ex2 is free; where a
// kernel is bound by ex2, as attention is on Blackwell, sending `Eighths` of every eight elements
// to the FMA units evens the load (FlashAttention-4, arXiv 2603.05451, sends 10 to 25 %). Which
// elements those are hangs on their place alone, so results are the same in each run. Instructions:
// 2, or 13.
//
// One FMA gives t, which rounds (6.6e-7 where x - m > -20) and has log2 e rounded (2.7e-7); ex2 is
// off by 2^-22, p by 2.6e-6. Relative error of a probability for x - m > -20: 3e-6, with a share on
// the FMA units 7e-6. Edges: 0 where t < -126, for some x - m from -87.34 on and all from -88.03
// on; NaN stays. Rejected: degree 3 (7.5e-5), which suits results of bfloat16 only.
#pragma once
#include "cuda/device/lane.cuh"

#include "common/claims.hpp"
#include "common/weights/exp.hpp"
#include "common/weights/unit.hpp"
#include "common/weights/variants.hpp"

namespace fastsoftmax::cuda {

/// Coefficient I of half the polynomial of 2^f, from that of e^r.
template <int Degree, int I> FS_INLINE constexpr double power_coefficient() {
    double c = 0.5 * ExpPolynomial<Degree>::c[I];
    for (int i = 0; i < I; ++i)
        c *= 0.69314718055994531;
    return c;
}
template <int Degree, int I = 0, class V> FS_INLINE V half_power_polynomial(V f) {
    constexpr double coefficient = power_coefficient<Degree, I>();
    if constexpr (I == Degree)
        return V::set(coefficient);
    else
        return V::fma(half_power_polynomial<Degree, I + 1>(f), f, V::set(coefficient));
}

template <class V, int Eighths> class MixedWeight {
    static_assert(sizeof(typename V::scalar) == 4);
    V exponent_;

    FS_DEVICE V power(V x) const {
        return V::fms(x, V::set(1.4426950408889634), exponent_); // t
    }

  public:
    FS_DEVICE explicit MixedWeight(V m) : exponent_(exp_floor(m)) {}
    FS_DEVICE explicit MixedWeight(float m) : MixedWeight(V::set(m)) {}

    FS_DEVICE V operator()(V x) const { return V{canonical(ex2(power(x).v))}; }
    /// Of the thread's element number e.
    FS_DEVICE V operator()(V x, int e) const {
        if (e % 8 >= Eighths)
            return (*this)(x);
        const V t = power(x), magic = exponent_magic<V>(), shifted = t + magic;
        const V half = half_power_polynomial<4>(t - (shifted - magic));
        return V::zero_where_le(half * V::power_of_two(shifted), t, V::set(-126.0));
    }
    static constexpr float limit() { return ExpConstants<float>::limit(true); }
};

/// A variant of the row kernels that exists on CUDA alone.
template <int Eighths> struct Mixed {
    template <class V, Shift> using Weight = MixedWeight<V, Eighths>;

    static constexpr VariantInfo info() {
        constexpr bool mixed = Eighths > 0;
        constexpr const char *names[] = {"ex2", "mixed12", "mixed25", "", "mixed50"};
        return {.name = names[Eighths],
                .form = "exp",
                .bound = mixed ? 2.8e-6 : 8e-7,
                .bound_kind = claims::absolute_weight,
                .domain = -88.03,
                .value_at_zero = 1.0,
                .tail = 0.0,
                .monotone = false,
                .operations = 2 + 11 * Eighths / 8,
                .rescale = "h",
                .source = mixed ? "ex2.approx, and a minimax polynomial of degree 4"
                                : "ex2.approx of the special-function unit"};
    }
};

} // namespace fastsoftmax::cuda

namespace fastsoftmax {

template <class V, int Eighths> struct UnitWeight<cuda::MixedWeight<V, Eighths>, V> {
    static FS_INLINE V at(V m) { return cuda::MixedWeight<V, Eighths>(m)(m); }
};

} // namespace fastsoftmax
