// The sum of a row's weights, found while its maximum is not yet known: see topk.cuh.
#pragma once
#include "cuda/device/lane.cuh"

#include "common/compensated_sum.hpp"
#include "common/max_sum.hpp"

namespace fastsoftmax::cuda {

/// Of one thread: the maximum so far, and the sum of e^x 2^-n with n = floor(m log2 e). When m
/// rises the sum is multiplied by a power of two, which is exact.
template <class T> class RunningWeights {
    using V = Lane<T>;
    using Weight = ExpWeight<V, exact_degree<T>>;
    T m_ = -infinity<T>();
    MaxSum<V, CompensatedLanes<V>> state_{V{0}, {}}; ///< n and the sum
    Weight weight_{T(0)};

  public:
    FS_DEVICE T maximum() const { return m_; }

    template <int N> FS_DEVICE void add(const T (&x)[N]) {
        T top = x[0];
#pragma unroll
        for (int i = 1; i < N; ++i)
            top = larger(top, x[i]);
        if (top > m_)
            rise(top);
        state_.s.add(tree_sum<N, V>([&](std::size_t i) { return weight_(V{x[i]}); }));
    }
    /// The sum relative to the maximum of the row.
    FS_DEVICE double relative_to(T m) const {
        const CompensatedLanes<V> &s = state_.s;
        const double sum = static_cast<double>(s.total.v) + static_cast<double>(s.lost.v);
        return sum * static_cast<double>(ByPowersOfTwo{}(state_.m, exponent(m)).v);
    }

  private:
    FS_DEVICE void rise(T top) {
        m_ = top;
        state_.rise_to(exponent(top), ByPowersOfTwo{});
        weight_ = Weight(V{top});
    }
    static FS_DEVICE V exponent(T m) { return m > -infinity<T>() ? exp_floor(V{m}) : V{0}; }
};

} // namespace fastsoftmax::cuda
