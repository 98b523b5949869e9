// The sum of a row's weights, found while its maximum is not yet known: see topk.cuh.
#pragma once
#include "cuda/device/lane.cuh"

#include "common/compensated_sum.hpp"
#include "common/weights/variants.hpp"

namespace fastsoftmax::cuda {

/// Of one thread: the maximum so far, and the sum of e^x 2^-n with n = floor(m log2 e). When m
/// rises the sum is multiplied by a power of two, which is exact.
template <class T> class RunningWeights {
    using V = Lane<T>;
    using Weight = ExpWeight<V, exact_degree<T>>;
    T m_ = -infinity<T>(), n_ = 0;
    Weight weight_{T(0)};
    CompensatedLanes<V> sum_;

  public:
    FS_DEVICE T maximum() const { return m_; }

    template <int N> FS_DEVICE void add(const T (&x)[N]) {
        T top = x[0];
#pragma unroll
        for (int i = 1; i < N; ++i)
            top = larger(top, x[i]);
        if (top > m_)
            rise(top);
        sum_.add(tree_sum<N, V>([&](std::size_t i) { return weight_(V{x[i]}); }));
    }
    /// The sum relative to the maximum of the row.
    FS_DEVICE double relative_to(T m) const {
        const double sum = static_cast<double>(sum_.total.v) + static_cast<double>(sum_.lost.v);
        return sum * static_cast<double>(power_of_two(n_ - exponent(m)));
    }

  private:
    FS_DEVICE void rise(T top) {
        m_ = top;
        const T n = exponent(top);
        const V factor{power_of_two(n_ - n)};
        sum_.total = sum_.total * factor;
        sum_.lost = sum_.lost * factor;
        n_ = n;
        weight_ = Weight(V{top});
    }
    static FS_DEVICE T exponent(T m) { return m > -infinity<T>() ? exp_floor(V{m}).v : T(0); }
    /// 2^n, n <= 0 but for what no element has weighed on; 0 where it isn't a normal number.
    static FS_DEVICE T power_of_two(T n) {
        constexpr int mantissa = sizeof(T) == 4 ? 23 : 52, bias = sizeof(T) == 4 ? 127 : 1023;
        if (!(n > -bias) || n > bias)
            return n > bias ? T(1) : T(0);
        using Bits = typename V::Bits;
        return __builtin_bit_cast(T, static_cast<Bits>(static_cast<int>(n) + bias) << mantissa);
    }
};

} // namespace fastsoftmax::cuda
