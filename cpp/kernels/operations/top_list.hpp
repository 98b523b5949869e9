// The k largest elements met so far, k <= 64, in descending order; of equal ones the earlier first.
//
// Nearly all vectors of a row hold nothing above the k-th value, and one comparison of four of them
// tells so: in random rows only about k log(n/k) elements are inserted. An insertion moves k/2
// elements on average, in a loop. Rejected: without a loop whose end is unpredictable, the place
// counted by vectors and all behind it moved in copies of one size, which only AVX-512 gains by; a
// heap, which branches at each level.
//
// Rows that ascend would insert each element. So a long block is sampled first. Where the sample
// promises more than its share of candidates, an element of the sample becomes the edge, if at
// least k of the block lie above it: what doesn't is not among the k largest then. Ascending rows
// gain by that; random ones pay for the sample.
//
// NaN is never above anything, so it comes last, after -inf; kernels count denormals as zero.
#pragma once
#include "kernels/rows/passes.hpp"
#include <cstdint>

namespace fastsoftmax {

template <class V> class TopList {
    using T = typename V::scalar;
    static constexpr std::size_t lanes = V::lanes, samples = 64;

  public:
    static constexpr std::size_t most = 64;

    explicit FS_INLINE TopList(std::size_t k) : k_(k) {
        for (std::size_t i = 0; i < k; ++i) {
            value_[i] = lowest_value<V>();
            index_[i] = -1;
        }
    }
    const T *values() const { return value_; }
    const std::int64_t *indices() const { return index_; }

    /// A block whose largest element is m; it starts at element `first` of its row.
    FS_INLINE void add_block(const T *x, std::size_t n, std::size_t first, T m) {
        if (!(m > edge_))
            return;
        if (n >= 16 * samples)
            raise_edge(x, n);
        std::size_t i = 0;
        for (; i + 4 * lanes <= n; i += 4 * lanes) {
            const V a = V::load(x + i), b = V::load(x + i + lanes);
            const V c = V::load(x + i + 2 * lanes), d = V::load(x + i + 3 * lanes);
            const V edge = V::set(edge_); // takes the place of NaN
            const V top = V::max(d, V::max(c, V::max(b, V::max(a, edge))));
            if (__builtin_expect(V::greater_mask(top, edge) != 0, 0))
                add_all(x + i, first + i,
                        above(a, edge) | above(b, edge) << lanes | above(c, edge) << 2 * lanes |
                            above(d, edge) << 3 * lanes);
        }
        for (; i < n; ++i)
            add(x[i], first + i);
    }

    /// Gives free places to -inf, then to NaN, earlier ones first. Logits that another thread
    /// changes meanwhile may be neither: an index must lie in the row all the same.
    void fill(const T *x, std::size_t n) {
        std::size_t used = 0;
        while (used < k_ && index_[used] >= 0)
            ++used;
        for (std::size_t i = 0; i < n && used < k_; ++i)
            if (x[i] == lowest_value<V>())
                index_[used++] = static_cast<std::int64_t>(i);
        for (std::size_t i = 0; i < n && used < k_; ++i)
            if (x[i] != x[i])
                index_[used++] = static_cast<std::int64_t>(i);
        for (; used < k_; ++used)
            index_[used] = static_cast<std::int64_t>(used);
    }

  private:
    T value_[most];
    std::int64_t index_[most]; ///< -1: still free, and the value -inf
    std::size_t k_;
    T edge_ = lowest_value<V>(); ///< what is not above it need not be looked at

    static FS_INLINE std::uint64_t above(V x, V edge) { return V::greater_mask(x, edge); }

    FS_INLINE void add_all(const T *x, std::size_t first, std::uint64_t which) {
        for (; which != 0; which &= which - 1) {
            const auto i = static_cast<std::size_t>(__builtin_ctzll(which));
            add(x[i], first + i);
        }
    }
    FS_INLINE void add(T x, std::size_t at) {
        if (!(x > edge_)) // which may have risen since
            return;
        std::size_t i = k_ - 1;
        for (; i > 0 && value_[i - 1] < x; --i) {
            value_[i] = value_[i - 1];
            index_[i] = index_[i - 1];
        }
        value_[i] = x;
        index_[i] = static_cast<std::int64_t>(at);
        edge_ = value_[k_ - 1] > edge_ ? value_[k_ - 1] : edge_;
    }

    /// The place-th largest of the samples has place * n / samples elements above it, more or less.
    void raise_edge(const T *x, std::size_t n) {
        const std::size_t place = 1 + k_ / 16;
        TopList sample(place);
        for (std::size_t i = 0; i < samples; ++i)
            sample.add(x[i * (n / samples)], i);
        const T edge = sample.edge_;
        if (edge > edge_ && count_above(x, n, edge) >= static_cast<double>(k_))
            edge_ = edge;
    }
    static FS_INLINE double count_above(const T *x, std::size_t n, T edge) {
        V count = V::set(0.0);
        std::size_t i = 0;
        for (; i + lanes <= n; i += lanes)
            count = count + V::greater(V::load(x + i), V::set(edge));
        if (i < n)
            count = count + V::greater(V::load_n(x + i, n - i, edge), V::set(edge));
        return V::reduce_add(count);
    }
};

} // namespace fastsoftmax
