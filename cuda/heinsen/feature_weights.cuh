// Weights of a chunk of up to 8 tokens of Heinsen attention, and of its queries: see attention.cuh.
#pragma once
#include "cuda/heinsen/call.cuh"

namespace fastsoftmax::cuda {

template <class T> FS_DEVICE T sum_of_warp(T value) {
    for (int distance = 16; distance; distance /= 2)
        value += __shfl_xor_sync(~0u, value, distance);
    return value;
}
template <class T> FS_DEVICE T max_of_warp(T value) {
    for (int distance = 16; distance; distance /= 2)
        value = larger(value, __shfl_xor_sync(~0u, value, distance));
    return value;
}

template <class T> class HeinsenWeights {
    using V = Lane<T>;
    static constexpr int chunk = heinsen_chunk;
    const HeinsenShared<T> s_;
    const int d_k_;
    ExactWeight<V, Shift::none> weight_{T(0)};

  public:
    FS_DEVICE HeinsenWeights(const HeinsenShared<T> &shared, int d_k) : s_(shared), d_k_(d_k) {}

    /// Whether `count` tokens raise no maximum by more than heinsen_near. The same for all threads.
    FS_DEVICE bool near(const T *k, int count) const {
        bool far = false;
        for (int i = threadIdx.x; i < d_k_; i += heinsen_threads)
            far = far || top(k, i, count) > s_.m[i] + heinsen_near;
        return !__syncthreads_or(far);
    }
    /// Brings m and z to the maxima with `count` more tokens.
    FS_DEVICE void rise(const T *k, int count) const {
        for (int i = threadIdx.x; i < d_k_; i += heinsen_threads) {
            MaxSum<V> state{V{s_.m[i]}, V{s_.z[i]}};
            s_.factor[i] = state.rise_to(V{top(k, i, count)}, ByExp{}).v;
            s_.z[i] = state.s.v;
            s_.m[i] = state.m.v;
        }
    }
    /// p = exp(k - m), 0 beyond `count`.
    FS_DEVICE void weigh_keys(const T *k, int count) const {
        for (int at = threadIdx.x; at < chunk * d_k_; at += heinsen_threads) {
            const int u = at / d_k_, i = at % d_k_;
            s_.p[i * chunk + u] = u < count ? weight_(V{k[at] - s_.m[i]}).v : T(0);
        }
    }
    /// w = exp(q + m - c) of the token of this warp, 0 beyond `count`; gives sum w z.
    FS_DEVICE T weigh_query(const T *q, int count) const {
        const int t = threadIdx.x / 32, lane = threadIdx.x % 32;
        if (t >= count) {
            for (int i = lane; i < d_k_; i += 32)
                s_.w[i * chunk + t] = 0;
            return 0;
        }
        q += t * d_k_;
        T c = 2 * heinsen_lowest<T>;
        for (int i = lane; i < d_k_; i += 32)
            c = larger(c, bounded(q[i]) + s_.m[i]);
        c = max_of_warp(c);
        T sum = 0;
        for (int i = lane; i < d_k_; i += 32) {
            const TwoSum<V> e(V{bounded(q[i])}, V{s_.m[i]});
            const T w = weight_((e.sum - V{c}) + e.error).v;
            s_.w[i * chunk + t] = w;
            sum += w * s_.z[i];
        }
        return sum_of_warp(sum);
    }
    /// scores[t][u] = sum_i w_ti p_ui for u <= t, four threads each; and their sums onto the
    /// totals.
    FS_DEVICE void find_scores(T *scores, T *totals) const {
        const int lane = threadIdx.x % 32;
        const int pair = threadIdx.x / 4, t = pair / chunk, u = pair % chunk;
        T sum = 0;
        for (int i = threadIdx.x % 4; i < d_k_; i += 4)
            sum += s_.w[i * chunk + t] * s_.p[i * chunk + u];
        sum += __shfl_xor_sync(~0u, sum, 1);
        sum += __shfl_xor_sync(~0u, sum, 2);
        sum = u <= t ? sum : 0;
        if (threadIdx.x % 4 == 0)
            scores[pair] = sum;
        T all = sum; // of the eight pairs of a t, which are the lanes of a warp
        for (int distance = 4; distance < 32; distance *= 2)
            all += __shfl_xor_sync(~0u, all, distance);
        if (lane == 0)
            totals[threadIdx.x / 32] += all;
        __syncthreads();
    }
    /// z += p, after the queries have read it.
    FS_DEVICE void add_keys() const {
        for (int i = threadIdx.x; i < d_k_; i += heinsen_threads) {
            T sum = 0;
#pragma unroll
            for (int u = 0; u < chunk; ++u)
                sum += s_.p[i * chunk + u];
            s_.z[i] += sum;
        }
    }

  private:
    FS_DEVICE T top(const T *k, int i, int count) const {
        T highest = s_.m[i];
        for (int u = 0; u < count; ++u)
            highest = larger(highest, k[u * d_k_ + i]);
        return highest;
    }
    /// -inf counts as a very low number; NaN stays.
    static FS_DEVICE T bounded(T q) {
        const T low = heinsen_floor<T>;
        return q < low ? low : q;
    }
};

} // namespace fastsoftmax::cuda
