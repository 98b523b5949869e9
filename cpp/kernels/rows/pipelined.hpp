// Softmax of rows of a few KiB: the weights of one row along with its neighbours' other passes.
//
// The pass of the weights keeps the arithmetic ports busy and leaves loads and stores idle; the
// other two passes are the reverse. So while a row is weighed, the maximum of the next one is taken
// and the one before is scaled. Beyond some 2048 columns the three rows leave L1, and it is better
// to scale a row at once: streamed.hpp.
//
// Neighbouring rows often lie a multiple of 4096 bytes apart. A load waits for an earlier store to
// an address with the same lower 12 bits, so the neighbours are not walked side by side with the
// row: the one before runs half a page ahead of the stores, around the end of the row, and the next
// one just ahead of them.
//
// A row with an extreme or a non-finite maximum is weighed by the caller, alone. Bits are those of
// the plain passes.
#pragma once
#include "kernels/arguments.hpp"
#include "kernels/rows/passes.hpp"
#include "kernels/rows/prefetch.hpp"

namespace fastsoftmax {

/// Walks the elements of a row a tree of vectors at a time, from `start` on and around the end.
template <class V> class Round {
    static constexpr std::size_t lanes = V::lanes, tree = tree_size<V> * lanes;
    std::size_t start_, n_, at_ = start_;

  public:
    FS_INLINE Round(std::size_t start, std::size_t n) : start_(start), n_(n) {}

    /// Where to start so as to be `distance` elements ahead, modulo pages; 0 where the row is
    /// short.
    static FS_INLINE std::size_t start(std::ptrdiff_t distance, std::size_t n) {
        constexpr std::size_t page = 4096 / sizeof(typename V::scalar);
        const std::size_t wanted = (static_cast<std::size_t>(distance) % page + tree - 1) / tree;
        return (wanted + 1) * tree <= n ? wanted * tree : 0;
    }
    /// f.whole(at) for each vector of the next tree; f.part(at, n) for what doesn't fill one.
    template <class F> FS_INLINE void step(F &f) {
        if (__builtin_expect(at_ + tree > n_, 0)) {
            remainder(f);
            at_ = 0;
        }
        for (std::size_t i = at_; i < at_ + tree; i += lanes)
            f.whole(i);
        at_ += tree;
    }
    /// After as many steps as there are trees: what doesn't fill one.
    template <class F> FS_INLINE void finish(F &f) {
        if (start_ == 0)
            remainder(f);
    }

  private:
    template <class F> FS_INLINE void remainder(F &f) {
        for (; at_ + lanes <= n_; at_ += lanes)
            f.whole(at_);
        if (at_ < n_)
            f.part(at_, n_ - at_);
    }
};

template <class Variant, class V> class PipelinedRows {
    using T = typename V::scalar;
    using Weight = typename Variant::template Weight<V, Shift::none>;

    struct Maximum {
        const T *x;
        V m = V::set(lowest_value<V>());
        FS_INLINE void whole(std::size_t i) { m = V::max(V::load(x + i), m); }
        FS_INLINE void part(std::size_t i, std::size_t n) {
            m = V::max(V::load_n(x + i, n, lowest_value<V>()), m);
        }
    };
    struct Scale {
        T *y;
        V factor;
        FS_INLINE void whole(std::size_t i) const { (V::load(y + i) * factor).store(y + i); }
        FS_INLINE void part(std::size_t i, std::size_t n) const {
            (V::load_n(y + i, n, 0) * factor).store_n(y + i, n);
        }
    };

  public:
    /// f(x, y, n, m) writes weights and returns the factor that makes them probabilities. At least
    /// two rows.
    template <class F> static FS_INLINE void run(const OnlineArguments<T> &a, const F &f) {
        constexpr std::ptrdiff_t half_page = 2048 / sizeof(T);
        const std::size_t next_start = Round<V>::start(-a.x_stride, a.n);
        const std::size_t last_start = Round<V>::start(a.y_stride + half_page, a.n);
        T factor = f(a.x, a.y, a.n, row_max<V>(a.x, a.n));
        T m = row_max<V>(a.x + a.x_stride, a.n);
        T *last = a.y;
        for (std::size_t r = 1; r < a.rows; ++r) {
            const auto i = static_cast<std::ptrdiff_t>(r);
            const T *x = a.x + i * a.x_stride, *next = r + 1 < a.rows ? x + a.x_stride : x;
            T *y = a.y + i * a.y_stride;
            if (__builtin_expect(m < Weight::limit() && m > -Weight::limit(), 1)) {
                Round<V> of_next(next_start, a.n), of_last(last_start, a.n);
                Maximum maximum{next};
                Scale scale{last, V::set(factor)};
                Prefetch<V> prefetch(next, y);
                const double sum = weigh<Storing::weights, V>(Weight(m), x, y, a.n, [&] {
                    prefetch();
                    of_next.step(maximum);
                    of_last.step(scale);
                });
                of_next.finish(maximum);
                of_last.finish(scale);
                factor = static_cast<T>(1 / sum);
                m = V::reduce_max(maximum.m);
            } else {
                scale_row<V>(last, a.n, factor);
                factor = f(x, y, a.n, m);
                m = row_max<V>(next, a.n);
            }
            last = y;
        }
        scale_row<V>(last, a.n, factor);
    }
};

} // namespace fastsoftmax
