// The softmax monoid of max_sum.hpp with values carried along, (m, s, o), for each key feature i:
//
//   m_i = max_t k_ti,  z_i = sum_t exp(k_ti - m_i),  A_ij = sum_t exp(k_ti - m_i) v_tj
//
// and the weights that a query gives the features, exp(q_i + m_i - c) with c = max_i(q_i + m_i).
//
// q + m may lie anywhere, so its rounding error is kept (Knuth's two-sum) and added after c is
// taken off: the exponent is then off by one rounding of a number between -87 and 0. Nothing seen
// is m = heinsen_lowest, z = 0, A = 0: finite, so that no difference is inf - inf.
#pragma once
#include "common/max_sum.hpp"

namespace fastsoftmax {

/// Tokens are added together as long as none of them raises a maximum by more.
inline constexpr int heinsen_near = 16;

/// a + b = sum + error, exactly.
template <class V> struct TwoSum {
    V sum, error;
    FS_INLINE TwoSum(V a, V b) : sum(a + b), error(a) {
        const V b_part = sum - a;
        error = (a - (sum - b_part)) + (b - b_part);
    }
    /// What it says less c, which is near it or above.
    FS_INLINE V less(V c) const { return (sum - c) + error; }
};

} // namespace fastsoftmax
