// Softmax probabilities of the k largest elements of each row, and where they are, in one pass.
//
//   p_j = w(z_j - m) / s,  (m, s) the state of online softmax,  j the k largest z = scale * x +
//   mask
//
// Milakov and Gimelshein's second result (arXiv 1805.02867, algorithm 4). A row has a warp, or the
// eight of a block where it is longer than 2048; each warp keeps a list of candidates
// (list.cuh), each thread a maximum and a sum (running_sum.cuh), and both are merged at the end.
// A row is read once, in vectors of 16 bytes, and nothing is written but the results.
//
// Rows whose maximum is beyond exp's limit (exp.hpp: 16384 in float) are summed in a second pass,
// with the maximum subtracted.
//
// Error: claims::probability (common/claims.hpp), then one rounding to the type of x.
// Edges: NaN or +inf in the row, or -inf only: probabilities NaN; 0 where the mask leaves nothing.
// Order: descending, equal ones by place; -inf, then NaN come last.
// Rejected: a list for each thread, which k = 64 spills; sorting by blocks and the radix, which
// read a row several times.
#pragma once
#include "cuda/device/group.cuh"
#include "cuda/rows/elements.cuh"
#include "cuda/topk/elements.cuh"
#include "cuda/topk/list.cuh"
#include "cuda/topk/running_sum.cuh"

namespace fastsoftmax::cuda {

template <class S, Ranked By> class TopkRow {
    using T = Computed<S>;
    using V = Lane<T>;
    static constexpr int per = per_vector<S>;
    const TopkArguments &a_;
    const Group group_;
    const TopkElements<S, By> z_;
    const int n_;
    const std::int64_t row_;

  public:
    FS_DEVICE TopkRow(const TopkCall &call, std::int64_t row)
        : a_(call.a), group_{call.threads}, z_(call.a, row), n_(static_cast<int>(call.a.n)),
          row_(row) {}

    /// `others`: the lists of the warps of a block, topk_most each.
    FS_DEVICE void run(T *values, int *places) const {
        TopList<T> top(a_.k);
        RunningWeights<T> weights;
        vectors([&](const T(&x)[per], const int (&number)[per]) {
            weights.add(x);
#pragma unroll
            for (int j = 0; j < per; ++j)
                top.add({x[j], number[j]});
        });
        const T m = group_.template reduce<0>(weights.maximum(), -infinity<T>(),
                                              [](T a, T b) { return larger(a, b); });
        const auto plus = [](double a, double b) { return a + b; };
        const double s = group_.template reduce<1>(weights.relative_to(m), 0.0, plus);
        const bool far = !(m < limit && m > -limit); // the same for all threads of the row
        const double s_far = group_.template reduce<2>(far ? shifted_sum(m) : 0.0, 0.0, plus);
        const bool empty = all_masked(m);
        if (group_.size > 32)
            merge(top, values, places);
        if (group_.rank() >= 32)
            return;
        if (top.has_free())
            top.fill(n_, [&](int i) { return z_[i]; });
        write(top, m, far ? s_far : s, far, empty);
    }

  private:
    static constexpr T limit = ExpWeight<V, exact_degree<T>>::limit();

    /// f(elements, their places) of all vectors; the same number of times in all lanes of a warp.
    template <class F> FS_DEVICE void vectors(const F &f) const {
        const bool dense = a_.x_at.step == 1;
        const int head = dense ? Places::head(z_.x()) : 0;
        const int step = static_cast<int>(group_.size) * per;
        const int warp = static_cast<int>(group_.rank() / 32) * 32 * per;
        for (std::int64_t base = warp - head; base < n_; base += step) {
            const auto first = static_cast<int>(base) + static_cast<int>(threadIdx.x % 32) * per;
            T z[per];
            int number[per];
            load(first, dense, z);
#pragma unroll
            for (int j = 0; j < per; ++j)
                number[j] = first + j >= 0 && first + j < n_ ? first + j : no_place;
            f(z, number);
        }
    }
    FS_DEVICE void load(int first, bool dense, T (&z)[per]) const {
        if (dense && first >= 0 && first <= n_ - per) {
            load_vector(z_.x() + first, z);
#pragma unroll
            for (int j = 0; j < per; ++j)
                z[j] = z_.ranked(z[j], first + j);
        } else {
#pragma unroll
            for (int j = 0; j < per; ++j)
                z[j] = first + j >= 0 && first + j < n_ ? z_[first + j] : -infinity<T>();
        }
    }
    /// Whether the mask takes out the whole row; the same for all of its threads.
    FS_DEVICE bool all_masked(T m) const {
        if (By == Ranked::plain || a_.mask_kind == Mask::none || m > -infinity<T>())
            return false;
        bool unmasked = false;
        for (int i = static_cast<int>(group_.rank()); i < n_; i += static_cast<int>(group_.size))
            unmasked |= z_.unmasked(i);
        return !group_.anywhere(unmasked);
    }
    /// The sum of this thread with the row's maximum subtracted, NaN where that is infinite.
    FS_DEVICE double shifted_sum(T m) const {
        const ExpWeight<V, exact_degree<T>, Shift::by_maximum> weight(m);
        CompensatedLanes<V> sum;
        vectors([&](const T(&x)[per], const int (&)[per]) {
            sum.add(tree_sum<per, V>([&](std::size_t i) { return weight(V{x[i]}); }));
        });
        return m - m == 0 ? static_cast<double>(sum.total.v) + static_cast<double>(sum.lost.v)
                          : not_a_number<double>();
    }
    FS_DEVICE void merge(TopList<T> &top, T *values, int *places) const {
        const int mine = static_cast<int>(group_.rank() / 32) * topk_most;
        top.each([&](int rank, const Placed<T> &e) {
            values[mine + rank] = e.value;
            places[mine + rank] = e.place;
        });
        __syncthreads();
        if (group_.rank() >= 32)
            return;
        for (int w = topk_most; w < topk_warps * topk_most; w += topk_most)
            for (int i = 0; i < a_.k && top.insert({values[w + i], places[w + i]}); ++i)
                ;
    }
    FS_DEVICE void write(const TopList<T> &top, T m, double s, bool far, bool empty) const {
        const ExpWeight<V, exact_degree<T>> weight(m);
        const ExpWeight<V, exact_degree<T>, Shift::by_maximum> shifted(m);
        top.each([&](int rank, const Placed<T> &e) {
            const T w = far ? shifted(V{e.value}).v : weight(V{e.value}).v;
            const std::int64_t to = row_ * a_.k + rank;
            const bool nothing = s != s || w != w;
            const T p = nothing ? not_a_number<T>() : static_cast<T>(w / s);
            narrow_one(empty ? T(0) : p, static_cast<S *>(a_.p)[to]);
            a_.index[to] = e.place;
        });
    }
};

template <class S, Ranked By>
__global__ void __launch_bounds__(topk_threads, 4) topk(const TopkCall call) {
    using T = Computed<S>;
    FS_SHARED(T, values, topk_warps * topk_most);
    FS_SHARED(int, places, topk_warps *topk_most);
    const std::int64_t row =
        std::int64_t{blockIdx.x} * (topk_threads / call.threads) + threadIdx.x / call.threads;
    if (row >= call.rows) // a whole warp, which nobody waits for
        return;
    TopkRow<S, By>(call, row).run(values, places);
}

} // namespace fastsoftmax::cuda
