// exp as a weight from a table of N powers of two, where a vector can be one: a permute of lanes.
//
//   weight(x) = 2^(k/N - n) * (1 + r + c2 r^2 + c3 r^3),  k = rint(N x log2 e),  r = x - k ln2/N
//
// As exp.hpp, whose notes on the reduction hold here too, but |r| <= ln2 / 2N, so a cubic is
// enough: 3 multiply-adds take the place of 6. N = 16 lanes (AVX-512): c2 = 1/2, c3 = 1/6, off
// by 1.0e-8, and the last multiply-add masks for free. N = 8 (AVX2): the minimax c2, with c3 = 1/6
// near its own, 2.6e-8 in place of 1.5e-7. The low bits of k choose the entry; the others, shifted,
// are added to its exponent.
//
// Error: the entry's rounding (6e-8 at most, 0 at x = m = 0) beside that of exp.hpp. Operations:
// 16, or 12 where they fuse.
// Rejected: 32 entries (two registers) and a quadratic, 5.5e-7; a common factor in the table that
// would halve its roundings, but make e^0 other than 1.
#pragma once
#include "common/weights/exp.hpp"
#include "common/weights/shift.hpp"
#include <concepts>

namespace fastsoftmax {

template <class V>
concept HasPowerTable = requires(V t) {
    { V::powers } -> std::convertible_to<int>;
    { V::fractional_power(t) };
    { V::fma_where_gt(t, t, t, t, t) };
};

template <class V, Shift By = Shift::none> class ExpTableWeight {
    using T = typename V::scalar;
    using C = ExpConstants<T>;
    static constexpr int powers = V::powers;
    static constexpr double c2 = powers == 16 ? 0.5 : 0.50006447;
    static_assert(powers == 8 || powers == 16);

  public:
    FS_INLINE explicit ExpTableWeight(V m)
        : magic_(V::set(C::magic)), lowest_(V::set(C::lowest)), shift_(m) {
        if constexpr (By == Shift::none) {
            magic_ = V::fnma(V::set(powers), exp_floor(m), magic_);
            lowest_ = m + lowest_;
        }
    }
    FS_INLINE explicit ExpTableWeight(T m) : ExpTableWeight(V::set(m)) {}

    FS_INLINE V operator()(V x) const {
        if constexpr (By == Shift::by_maximum)
            x = x - shift_;
        const V t = V::fma(x, V::set(powers * 1.4426950408889634), magic_);
        const V r = V::fnma(t - magic_, V::set(0.69314718055994531 / powers), x);
        const V p = V::fma(V::fma(r, V::set(1.0 / 6), V::set(c2)), r, V::set(1.0)) * r;
        const V power = V::fractional_power(t);
        return V::fma_where_gt(power, p, power, x, lowest_);
    }

    static constexpr T limit() { return C::limit(V::fused); }
    static constexpr double domain() { return C::lowest; }
    static constexpr int operations() { return 16; }
    static constexpr const char *method() {
        return powers == 16 ? "table of 16 powers of two and a cubic"
                            : "table of 8 powers of two and a cubic";
    }

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
