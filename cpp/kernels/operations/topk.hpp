// Softmax probabilities of the k largest elements of each row, and where they are, in one pass.
//
//   p_j = w(x_j - m) / s,  (m, s) the state of online softmax,  j the k largest x
//
// Milakov and Gimelshein's second result (arXiv 1805.02867, algorithm 4): softmax followed by top-k
// reads a row several times and writes it once; the state and a list of k candidates need one read
// and no write. By blocks of 16 KiB, in L1: maximum; where it is above the k-th candidate a search
// for those that are (top_list.hpp); weights and their sum, the next block fetched meanwhile
// (running_sum.hpp). Weights of the k come last, relative to the row's maximum.
//
// A row whose maximum is beyond exp's limit (exp.hpp: 16384 in float, 256 where products aren't
// fused), or whose blocks differ so that one might have been left out wrongly, is summed in a
// second pass with its maximum subtracted.
//
// Error: that of `online`, without the rounding of 1/s: one division in double. Edges: NaN or +inf
// in the row, or -inf only: probabilities NaN. Order: descending, equal ones by place; -inf, then
// NaN come last. Where the row isn't NaN, -inf has probability 0.
//
// Rejected: taking candidates' weights while they are found, k log(n/k) instead of k of them.
#pragma once
#include "common/claims.hpp"
#include "kernels/arguments.hpp"
#include "kernels/operations/top_list.hpp"
#include "kernels/rows/running_sum.hpp"

namespace fastsoftmax {

template <class Variant, class V> struct Topk {
    using T = typename V::scalar;
    using Arguments = TopkArguments<T>;
    static constexpr Claim exact_claim = claims::probability;

    static void run(const Arguments &a) {
        for (std::size_t r = 0; r < a.rows; ++r)
            row(a.x + static_cast<std::ptrdiff_t>(r) * a.x_stride, a.n, a.p + r * a.k,
                a.index + r * a.k, a.k);
    }

  private:
    static constexpr std::size_t block = 16384 / sizeof(T);

    static FS_INLINE void row(const T *x, std::size_t n, T *p, std::int64_t *index, std::size_t k) {
        TopList<V> top(k);
        RunningSum<V> sum;
        T m = lowest_value<V>();
        for (std::size_t at = 0; at < n; at += block) {
            const std::size_t size = n - at < block ? n - at : block;
            const T highest = row_max<V>(x + at, size);
            m = highest > m ? highest : m;
            top.add_block(x + at, size, at, highest);
            sum.add_block(x + at, size, highest, x + at + size);
        }
        if (top.indices()[k - 1] < 0)
            top.fill(x, n);
        if (__builtin_expect(sum.complete(m), 1))
            divide(typename Variant::template Weight<V, Shift::none>(m), top.values(), p, k,
                   sum.value());
        else
            divide_again(x, n, m, top.values(), p, k);
        for (std::size_t i = 0; i < k; ++i)
            index[i] = top.indices()[i];
    }

    /// The row's maximum is known, and its sum is not.
    static void divide_again(const T *x, std::size_t n, T m, const T *value, T *p, std::size_t k) {
        if (m - m != 0) {
            for (std::size_t i = 0; i < k; ++i)
                p[i] = static_cast<T>(__builtin_nan(""));
            return;
        }
        with_weight<Variant, V>(m, [&](const auto &weight) {
            const double sum = weigh<Storing::nothing, V>(weight, x, nullptr, n);
            divide(weight, value, p, k, sum);
            return sum;
        });
    }

    /// p = weights of the values over s, all NaN where s is.
    template <class Weight>
    static FS_INLINE void divide(const Weight &weight, const T *value, T *p, std::size_t k,
                                 double s) {
        constexpr std::size_t lanes = V::lanes;
        T weights[TopList<V>::most];
        std::size_t i = 0;
        for (; i + lanes <= k; i += lanes)
            weight(V::load(value + i)).store(weights + i);
        if (i < k)
            weight(V::load_n(value + i, k - i, lowest_value<V>())).store_n(weights + i, k - i);
        for (i = 0; i < k; ++i)
            p[i] = static_cast<T>(weights[i] / s);
    }
};

} // namespace fastsoftmax
