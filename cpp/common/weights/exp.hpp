// exp as a weight for softmax, generic in the vector type and in the degree of its polynomial.
//
//   weight(x) = 2^(k - n) * p(r),  k = rint(x * log2 e),  r = x - k * ln 2,  n = floor(m * log2 e)
//
// Softmax needs e^x only up to a factor common to the row, so the row maximum m is not subtracted
// from x: rounding x - m would cost up to 9.5e-7 at x - m = -20. A power of two, exact, brings the
// row into range instead. The weight of m itself lies in [1, 2].
//
// Reduction. With a fused multiply-add r takes one rounding (float) and ln 2 rounded to float is
// off by 2.7e-9, which costs 2.7e-9 * (m - x): the rest cancels in the quotient. Without one, and
// for double, k * ln 2 is taken off in two parts, the first of them exact. Rows with |m| >= `limit`
// subtract m first (Shift::by_maximum): x - m is exact there, by Sterbenz' lemma, for every x that
// keeps a weight, and k stays small enough for the reduction.
//
// 2^(k - n) is made of bits and multiplied by p. Adding k - n to the exponent of p as an integer
// would save nothing and turn NaN with a payload into numbers.
//
// Edges: x - m <= `lowest` gives 0, so no result is ever denormal; -inf gives 0; NaN stays NaN.
// Error of the polynomial with its roundings, relative: degree 6 in float 6.3e-8, degree 11 in
// double 2e-16; tests/cpp/weight_sweep.cpp measures the weight over every float. Operations: 8 + 2
// * degree, or 6 + degree where they fuse.
//
// Rejected though faster: degree 5 (1.5e-7: half of the error bound gone); folding -m * log2 e into
// one FMA (1.1e-6 to 1.4e-6).
#pragma once
#include "common/config.hpp"
#include "common/weights/shift.hpp"

namespace fastsoftmax {

template <class T> struct ExpConstants;

template <> struct ExpConstants<float> {
    static constexpr float magic = 12582912.0f;     // 1.5 * 2^23: adding it rounds to an integer
    static constexpr float one_above_bias = 128.0f; // even, so that ties round as without it
    static constexpr float ln2_high = 0.693359375f;
    static constexpr float ln2_low = -2.12194440e-4f;
    static constexpr float lowest = -87.25f; // e^-87.25 is the last quarter above the denormals
    static constexpr float limit(bool fused) { return fused ? 16384.0f : 256.0f; }
    static FS_INLINE constexpr bool one_step(bool fused) { return fused; }
};

template <> struct ExpConstants<double> {
    static constexpr double magic = 6755399441055744.0; // 1.5 * 2^52
    static constexpr double one_above_bias = 1024.0;
    static constexpr double ln2_high =
        0x1.62e42feep-1; // 21 zero bits at the end: k * ln2_high is exact
    static constexpr double ln2_low = 0x1.a39ef35793c76p-33;
    static constexpr double lowest = -708.0;
    static constexpr double limit(bool) { return 2048.0; }
    static FS_INLINE constexpr bool one_step(bool) { return false; }
};

/// Minimax polynomial of e^r on [-ln2/2, ln2/2], relative error, constant term first:
/// `python cpp/common/weights/minimax_exp.py` prints it.
template <int Degree> struct ExpPolynomial;
template <> struct ExpPolynomial<2> { // 1.72e-3
    static constexpr double c[] = {1.0004431420417386, 1.0148609497995325, 0.49625859053204911};
};
template <> struct ExpPolynomial<3> { // 7.48e-5
    static constexpr double c[] = {0.99992807353515966, 1.0001641857566361, 0.50496326424348024,
                                   0.16566842353293923};
};
template <> struct ExpPolynomial<4> { // 2.59e-6
    static constexpr double c[] = {0.99999926144693115, 0.99996340486166569, 0.50004358655312705,
                                   0.16790907211332959, 0.041458608649086358};
};
template <> struct ExpPolynomial<6> { // 3.06e-9
    static constexpr double c[] = {1.0,
                                   1.0,
                                   0.49999993451708434,
                                   0.16666520689833019,
                                   0.041668387361261146,
                                   0.0083687098241711943,
                                   0.0013814613260779771};
};
template <> struct ExpPolynomial<11> { // 7.69e-18
    static constexpr double c[] = {1.0,
                                   1.0,
                                   0.50000000000000102,
                                   0.16666666666666675,
                                   0.041666666666522106,
                                   0.0083333333333222162,
                                   0.0013888888947785523,
                                   0.00019841269886563802,
                                   2.4801487366025676e-5,
                                   2.7557242367449658e-6,
                                   2.7632640675430236e-7,
                                   2.5110038296727243e-8};
};

/// p(r) / 2 by Horner's rule, coefficient I upwards. The half is exact.
template <int Degree, int I = 0, class V> FS_INLINE V half_exp_polynomial(V r) {
    constexpr double coefficient = 0.5 * ExpPolynomial<Degree>::c[I];
    if constexpr (I == Degree)
        return V::set(coefficient);
    else
        return V::fma(half_exp_polynomial<Degree, I + 1>(r), r, V::set(coefficient));
}

/// Added to a number k that it rounds to an integer, it leaves what power_of_two makes 2^(k + 1)
/// of.
template <class V> FS_INLINE V exponent_magic() {
    using C = ExpConstants<typename V::scalar>;
    return V::set(C::magic + C::one_above_bias);
}

/// n = floor(m * log2 e), or one less where that is an integer: both serve.
template <class V> FS_INLINE V exp_floor(V m) {
    const V magic = V::set(ExpConstants<typename V::scalar>::magic);
    return ((m * V::set(1.4426950408889634) - V::set(0.5)) + magic) - magic;
}

/// Weight of x in a row with maximum m: e^x up to a power of two that the whole row shares.
template <class V, int Degree, Shift By = Shift::none> class ExpWeight {
    using T = typename V::scalar;
    using C = ExpConstants<T>;

  public:
    FS_INLINE explicit ExpWeight(V m)
        : magic_(exponent_magic<V>()), lowest_(V::set(C::lowest)), shift_(m) {
        if constexpr (By == Shift::none) {
            magic_ = magic_ - exp_floor(m);
            lowest_ = m + lowest_;
        }
    }
    FS_INLINE explicit ExpWeight(T m) : ExpWeight(V::set(m)) {}

    FS_INLINE V operator()(V x) const {
        if constexpr (By == Shift::by_maximum)
            x = x - shift_;
        const V t = V::fma(x, V::set(1.4426950408889634), magic_);
        const V half = half_exp_polynomial<Degree>(reduced(x, t - magic_));
        return V::zero_where_le(half * V::power_of_two(t), x, lowest_);
    }

    /// From here on m is subtracted first.
    static constexpr T limit() { return C::limit(V::fused); }
    static constexpr double domain() { return C::lowest; }
    static constexpr int operations() { return 8 + 2 * Degree + (C::one_step(V::fused) ? 0 : 2); }
    static constexpr const char *method() { return nullptr; }

    /// What depends on m, for as many rows as V has lanes; and the weight for one of those rows.
    struct Prepared {
        T magic[V::lanes], lowest[V::lanes];
    };
    FS_INLINE void prepare(Prepared &rows) const {
        magic_.store(rows.magic);
        lowest_.store(rows.lowest);
    }
    FS_INLINE ExpWeight(const Prepared &rows, int i)
        : magic_(V::set(rows.magic[i])), lowest_(V::set(rows.lowest[i])), shift_(magic_) {}

  private:
    static FS_INLINE V reduced(V x, V k) {
        if constexpr (C::one_step(V::fused))
            return V::fnma(k, V::set(0.69314718055994531), x);
        else
            return V::fnma(k, V::set(C::ln2_low), V::fnma(k, V::set(C::ln2_high), x));
    }

    V magic_, lowest_, shift_;
};

} // namespace fastsoftmax
