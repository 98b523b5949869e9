// Heinsen attention of values given as logarithms, on a GPU: kernels/heinsen/log_values.hpp has
// formula, error and edges, common/heinsen_log.hpp what happens to one element.
//
// Token after token, for each element has a maximum of its own. A block has a head; m and z are in
// shared memory, M, S and its excess in global memory. A lane has a column, a warp each eighth key
// feature, as in attention.cuh, whose rules on tiles hold here, too; a thread alone reads and
// writes its elements. The eight maxima, then the eight sums of an answer meet in shared memory.
//
// Rejected: chunks of tokens as in attention.cuh, whose masked product needs one maximum a feature.
#pragma once
#include "cuda/device/log.cuh"
#include "cuda/heinsen/feature_weights.cuh"

#include "common/heinsen_log.hpp"

namespace fastsoftmax::cuda {

/// m, z and what z is too large by, in dynamic shared memory.
template <class T> constexpr std::size_t heinsen_log_elements(int d_k) {
    return std::size_t{3} * static_cast<std::size_t>(d_k);
}

template <class T, bool Keys, bool Queries> class HeinsenLogHead {
    using V = Lane<T>;
    static constexpr int warps = heinsen_warps;
    static constexpr T lowest = heinsen_lowest<T>;
    const HeinsenCall<T> &a_;
    T *const m_, *const z_, *const over_, *const tops_, *const sums_;
    const T *from_, *q_, *k_, *v_;
    T *to_, *y_;
    const int rows_, dv_; ///< padded
    const int lane_ = threadIdx.x % 32, warp_ = threadIdx.x / 32;

  public:
    FS_DEVICE HeinsenLogHead(const HeinsenCall<T> &a, T *shared, T *tops, T *sums)
        : a_(a), m_(shared), z_(m_ + a.d_k), over_(z_ + a.d_k), tops_(tops), sums_(sums),
          rows_(a.rows), dv_(a.width) {
        const std::int64_t h = blockIdx.x, state = h * (rows_ * (3 + 3 * dv_));
        from_ = a.from + state;
        to_ = Keys ? a.to + state : nullptr;
        q_ = Queries ? a.q + h * a.n * a.d_k : nullptr;
        k_ = Keys ? a.k + h * a.n * a.d_k : nullptr;
        v_ = Keys ? a.v + h * a.n * a.d_v : nullptr;
        y_ = Queries ? a.y + h * a.n * a.d_v : nullptr;
    }

    FS_DEVICE void run() {
        for (int i = threadIdx.x; i < a_.d_k; i += heinsen_threads) {
            m_[i] = from_[i];
            z_[i] = from_[rows_ + i];
            over_[i] = from_[2 * rows_ + i];
        }
        __syncthreads();
        const std::int64_t first = blockIdx.z * a_.tokens;
        const std::int64_t end = min(first + a_.tokens, a_.n);
        for (std::int64_t t = first; t < end; ++t)
            token(t);
        if (Keys && blockIdx.y == 0)
            for (int i = threadIdx.x; i < a_.d_k; i += heinsen_threads) {
                to_[i] = m_[i];
                to_[rows_ + i] = z_[i];
                to_[2 * rows_ + i] = over_[i];
            }
    }

  private:
    FS_DEVICE void token(std::int64_t t) {
        if constexpr (Keys) {
            for (int i = threadIdx.x; i < a_.d_k; i += heinsen_threads)
                weigh_key(k_[t * a_.d_k + i], i);
            __syncthreads();
        }
        T c = 0, total = 0;
        if constexpr (Queries)
            weigh_query(q_ + t * a_.d_k, c, total);
        const int begin = blockIdx.y * a_.columns, end = min(begin + a_.columns, dv_);
        for (int j = begin + lane_; j < end + lane_; j += 32) { // as often for all lanes
            if constexpr (Keys)
                if (j < a_.d_v)
                    add(k_ + t * a_.d_k, heinsen_finite(V{v_[t * a_.d_v + j]}, heinsen_floor<T>),
                        j);
            if constexpr (Queries)
                answer(t, j, c, total);
        }
        if constexpr (Keys) {
            from_ = to_;
            __syncthreads(); // m and z have been read
        }
    }
    FS_DEVICE void weigh_key(T k, int i) const {
        const ExactWeight<V, Shift::none> weight{T(0)};
        MaxSum<V> state{V{m_[i]}, V{z_[i]}};
        V over = V{over_[i]} * state.rise_to(V{larger(m_[i], k)}, ByExp{});
        accumulate(state.s, over, weight(V{k} - state.m));
        m_[i] = state.m.v;
        z_[i] = state.s.v;
        over_[i] = over.v;
    }
    /// c = max(q + m) and the sum of exp(q + m - c) z: each warp for itself.
    FS_DEVICE void weigh_query(const T *q, T &c, T &total) const {
        const ExactWeight<V, Shift::none> weight{T(0)};
        c = 2 * lowest;
        for (int i = lane_; i < a_.d_k; i += 32)
            c = larger(c, finite(q[i]).v + m_[i]);
        c = max_of_warp(c);
        for (int i = lane_; i < a_.d_k; i += 32)
            total += weight(TwoSum<V>(finite(q[i]), V{m_[i]}).less(V{c})).v * z_[i];
        total = sum_of_warp(total);
    }
    /// Adds a token to the elements of column j that this thread has.
    FS_DEVICE void add(const T *k, V v, int j) const {
        const int plane = rows_ * dv_;
        for (int i = warp_; i < a_.d_k; i += warps) {
            const int at = 3 * rows_ + i * dv_ + j;
            HeinsenLogSum<V> element{{from_[at]}, {from_[at + plane]}, {from_[at + 2 * plane]}};
            if (k[i] != -infinity<T>()) // would count as a number in S, but not in z
                element.add(TwoSum<V>(V{k[i]}, v));
            to_[at] = element.top.v;
            to_[at + plane] = element.sum.v;
            to_[at + 2 * plane] = element.over.v;
        }
    }
    FS_DEVICE void answer(std::int64_t t, int j, T c, T total) const {
        const ExactWeight<V, Shift::none> weight{T(0)};
        const T *const q = q_ + t * a_.d_k;
        const T *const state = Keys ? to_ : from_;
        const int count = j < a_.d_v ? a_.d_k : 0, first = 3 * rows_ + j;
        V top = V::set(2.0 * lowest), sum{0};
        for (int i = warp_; i < count; i += warps)
            top = V::max(top, finite(q[i]) + V{state[first + i * dv_]});
        tops_[threadIdx.x] = top.v;
        __syncthreads();
        for (int w = 0; w < warps; ++w)
            top = V::max(top, V{tops_[w * 32 + lane_]});
        for (int i = warp_; i < count; i += warps) {
            const T *const element = state + first + i * dv_;
            const TwoSum<V> exponent(finite(q[i]), V{element[0]});
            sum = V::fma(weight(exponent.less(top)), V{element[rows_ * dv_]}, sum);
        }
        sums_[threadIdx.x] = sum.v;
        __syncthreads();
        if (warp_ > 0 || j >= a_.d_v)
            return;
        sum.v = 0;
        for (int w = 0; w < warps; ++w)
            sum.v += sums_[w * 32 + lane_];
        const TwoSum<V> apart(top, V{-c});
        const V mixed = sum * V{1 / total};
        y_[t * a_.d_v + j] =
            a_.log_output ? logarithm(mixed.v, apart) : heinsen_exponential(mixed, apart).v;
    }
    /// apart + log mixed; -inf where only log v = -inf was seen.
    static FS_DEVICE T logarithm(T mixed, const TwoSum<V> &apart) {
        const T y = apart.sum.v + (apart.error.v + log_pair(mixed).value());
        return apart.sum.v <= heinsen_nothing<T> ? -infinity<T>() : y;
    }
    /// -inf counts as a very low number; NaN stays.
    static FS_DEVICE V finite(T q) { return heinsen_finite(V{q}, heinsen_floor<T>); }
};

template <class T, bool Keys, bool Queries>
__global__ void __launch_bounds__(heinsen_threads, 2) heinsen_log(const HeinsenCall<T> a) {
    FS_DYNAMIC_SHARED(T, shared);
    FS_SHARED(T, tops, heinsen_threads);
    FS_SHARED(T, sums, heinsen_threads);
    HeinsenLogHead<T, Keys, Queries>(a, shared, tops, sums).run();
}

} // namespace fastsoftmax::cuda
