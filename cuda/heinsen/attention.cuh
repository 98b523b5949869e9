// Heinsen attention on a GPU, a block of threads for each head: kernels/heinsen/attention.hpp has
// formula, error and edges.
//
// Tokens go in chunks of up to 8. A chunk takes its maxima first; m, z and all weights are in
// shared memory, A in global memory (it stays in cache), where each thread has elements of its own:
// it loads one for the answers, the rescale and the update of all 8 tokens. What the chunk's
// queries see of its own tokens is a masked 8 x 8 product. Where m rises by more than
// heinsen_near within a chunk, as with the first token, one token goes alone.
//
// A is worked on in tiles of 32 columns: a lane has a column, a warp each eighth row, and the eight
// sums of an answer meet in shared memory. Tiles may go to different blocks if nobody else writes
// what they read: the state goes elsewhere, or stays as it is. Without keys tokens may, too.
//
// Rejected: A in registers, which limits d_k and d_v and keeps a step from being a prefill of 1.
#pragma once
#include "cuda/heinsen/feature_weights.cuh"

namespace fastsoftmax::cuda {

template <class T, bool Keys, bool Queries> class HeinsenHead {
    static constexpr int chunk = heinsen_chunk, warps = heinsen_warps;
    const HeinsenCall<T> &a_;
    HeinsenShared<T> s_;
    HeinsenWeights<T> weights_{s_, a_.d_k};
    const T *from_, *q_, *k_, *v_;
    T *to_, *y_, *scores_, *scale_, *parts_;
    const int rows_, dv_; ///< padded
    const int lane_ = threadIdx.x % 32, warp_ = threadIdx.x / 32;

  public:
    FS_DEVICE HeinsenHead(const HeinsenCall<T> &a, T *shared, T *scores, T *scale, T *parts)
        : a_(a), s_(shared, a.d_k), scores_(scores), scale_(scale), parts_(parts), rows_(a.rows),
          dv_(a.width) {
        const std::int64_t h = blockIdx.x, state = h * (rows_ * (2 + dv_));
        from_ = a.from + state;
        to_ = Keys ? a.to + state : nullptr;
        q_ = Queries ? a.q + h * a.n * a.d_k : nullptr;
        k_ = Keys ? a.k + h * a.n * a.d_k : nullptr;
        v_ = Keys ? a.v + h * a.n * a.d_v : nullptr;
        y_ = Queries ? a.y + h * a.n * a.d_v : nullptr;
    }

    FS_DEVICE void run() {
        for (int i = threadIdx.x; i < a_.d_k; i += heinsen_threads) {
            s_.m[i] = from_[i];
            s_.z[i] = from_[rows_ + i];
        }
        __syncthreads();
        const std::int64_t first = blockIdx.z * a_.tokens;
        const std::int64_t end = min(first + a_.tokens, a_.n);
        for (std::int64_t t = first; t < end;)
            t += tokens(t, static_cast<int>(min(end - t, std::int64_t{chunk})));
        if (Keys && blockIdx.y == 0)
            for (int i = threadIdx.x; i < a_.d_k; i += heinsen_threads) {
                to_[i] = s_.m[i];
                to_[rows_ + i] = s_.z[i];
            }
    }

  private:
    /// Up to `count` tokens; how many they were.
    FS_DEVICE int tokens(std::int64_t t, int count) {
        if constexpr (Keys) {
            const T *k = k_ + t * a_.d_k;
            if (!weights_.near(k, count))
                count = 1;
            weights_.rise(k, count);
            __syncthreads();
            weights_.weigh_keys(k, count);
        }
        if constexpr (Queries) {
            const T total = weights_.weigh_query(q_ + t * a_.d_k, count);
            if (lane_ == 0)
                scale_[warp_] = total;
        }
        __syncthreads();
        if constexpr (Keys)
            weights_.add_keys(); // nobody reads z before the next barrier but one
        if constexpr (Keys && Queries)
            weights_.find_scores(scores_, scale_);
        const int begin = blockIdx.y * a_.columns, end = min(begin + a_.columns, dv_);
        for (int j = begin; j < end; j += 32)
            columns(t, count, j + lane_);
        if constexpr (Keys)
            from_ = to_;
        __syncthreads();
        return count;
    }
    FS_DEVICE void columns(std::int64_t t, int count, int j) {
        T v[chunk] = {}, y[chunk] = {};
        if constexpr (Keys)
#pragma unroll
            for (int u = 0; u < chunk; ++u)
                v[u] = u < count && j < a_.d_v ? v_[(t + u) * a_.d_v + j] : T(0);
        if (j < dv_)
            for (int i = warp_; i < a_.d_k; i += warps)
                element(2 * rows_ + i * dv_ + j, i, v, y);
        if constexpr (Queries)
            answer(t, count, j, v, y);
    }
    /// One element of A.
    FS_DEVICE void element(int at, int i, const T (&v)[chunk], T (&y)[chunk]) {
        T A = from_[at];
        if constexpr (Keys)
            A *= s_.factor[i];
        T added = 0, w[chunk], p[chunk];
        if constexpr (Queries)
            load_tokens(s_.w + i * chunk, w);
        if constexpr (Keys)
            load_tokens(s_.p + i * chunk, p);
#pragma unroll
        for (int u = 0; u < chunk; ++u) {
            if constexpr (Queries)
                y[u] = Lane<T>::fma({w[u]}, {A}, {y[u]}).v;
            if constexpr (Keys)
                added = Lane<T>::fma({p[u]}, {v[u]}, {added}).v;
        }
        if constexpr (Keys)
            to_[at] = A + added;
    }
    FS_DEVICE void answer(std::int64_t t, int count, int j, const T (&v)[chunk],
                          const T (&y)[chunk]) {
#pragma unroll
        for (int u = 0; u < chunk; ++u)
            parts_[(warp_ * chunk + u) * 32 + lane_] = y[u];
        __syncthreads();
        T sum = 0; // the token of this warp
#pragma unroll
        for (int w = 0; w < warps; ++w)
            sum += parts_[(w * chunk + warp_) * 32 + lane_];
        if constexpr (Keys)
#pragma unroll
            for (int u = 0; u < chunk; ++u)
                sum += scores_[warp_ * chunk + u] * v[u];
        if (warp_ < count && j < a_.d_v)
            y_[(t + warp_) * a_.d_v + j] = sum / scale_[warp_];
        __syncthreads();
    }
};

template <class T, bool Keys, bool Queries>
__global__ void __launch_bounds__(heinsen_threads, 2) heinsen(const HeinsenCall<T> a) {
    FS_DYNAMIC_SHARED(T, shared);
    FS_SHARED(T, scores, heinsen_chunk * heinsen_chunk);
    FS_SHARED(T, scale, heinsen_chunk);
    FS_SHARED(T, parts, heinsen_warps * heinsen_chunk * 32);
    HeinsenHead<T, Keys, Queries>(a, shared, scores, scale, parts).run();
}

} // namespace fastsoftmax::cuda
