// exp as a weight from a table of sixteen powers of two, where a vector can be one: AVX-512's
// permute.
//
//   weight(x) = 2^(k/16 - n) * (1 + r + r^2/2 + r^3/6),  k = rint(16 x log2 e),  r = x - k ln2/16
//
// As exp.hpp, whose notes on the reduction hold here too, but |r| <= 0.0217, so a cubic is enough
// (1.0e-8): 3 multiply-adds take the place of 6, and the last of them masks for free. The low four
// bits of k choose the entry; the others, shifted, are added to its exponent.
//
// Error: the entry's rounding (6e-8 at most, 0 at x = m = 0) beside that of exp.hpp. Operations:
// 16, or 12 where they fuse. Time of `exact` against degree 6, AVX-512, 32 to 32768 columns: 0.88x
// to 0.91x.
// Rejected: 32 entries (two registers) and a quadratic, 5.5e-7; a common factor in the table that
// would halve its roundings, but make e^0 other than 1.
#pragma once
#include "common/exp.hpp"

namespace fastsoftmax {

template <class V>
concept HasPowerTable = requires(V t) {
    { V::sixteenth_powers(t) };
    { V::fma_where_gt(t, t, t, t, t) };
};

template <class V, bool Shifted = false> class ExpTableWeight {
    using T = typename V::scalar;
    using C = ExpConstants<T>;

  public:
    FS_INLINE explicit ExpTableWeight(V m)
        : magic_(V::set(C::magic)), lowest_(V::set(C::lowest)), shift_(m) {
        if constexpr (!Shifted) {
            magic_ = V::fnma(V::set(16.0), exp_floor(m), magic_);
            lowest_ = m + lowest_;
        }
    }
    FS_INLINE explicit ExpTableWeight(T m) : ExpTableWeight(V::set(m)) {}

    FS_INLINE V operator()(V x) const {
        if constexpr (Shifted)
            x = x - shift_;
        const V t = V::fma(x, V::set(16 * 1.4426950408889634), magic_);
        const V r = V::fnma(t - magic_, V::set(0.69314718055994531 / 16), x);
        const V p = V::fma(V::fma(r, V::set(1.0 / 6), V::set(0.5)), r, V::set(1.0)) * r;
        const V power = V::sixteenth_powers(t);
        return V::fma_where_gt(power, p, power, x, lowest_);
    }

    static constexpr T limit() { return C::limit(V::fused); }
    static constexpr double domain() { return C::lowest; }
    static constexpr int operations() { return 16; }
    static constexpr const char *method() { return "table of 16 powers of two and a cubic"; }

    struct Prepared {
        T magic[V::lanes], lowest[V::lanes];
    };
    FS_INLINE void prepare(Prepared &rows) const {
        magic_.store(rows.magic);
        lowest_.store(rows.lowest);
    }
    FS_INLINE ExpTableWeight(const Prepared &rows, int i)
        : magic_(V::set(rows.magic[i])), lowest_(V::set(rows.lowest[i])), shift_(magic_) {}

  private:
    V magic_, lowest_, shift_;
};

} // namespace fastsoftmax
