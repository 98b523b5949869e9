// The states of the columns of a strip: maxima, sums, and the exponents that those are relative to.
#pragma once
#include "common/compensated_sum.hpp"
#include "common/max_sum.hpp"
#include "common/weights/variants.hpp"
#include "kernels/columns/scratch.hpp"
#include "kernels/columns/tiled.hpp"
#include "kernels/rows/passes.hpp"
#include "kernels/rows/shared_row.hpp"

namespace fastsoftmax {

// A strip of columns in memory: its vectors, its rows, and how many rows are folded into one.

template <class V> struct StripShape {
    using T = typename V::scalar;
    static constexpr std::size_t lanes = V::lanes, block = rows_of_an_exponent;
    static constexpr std::size_t cut_from = 8 * lanes; ///< columns whose first vector is cut

    /// Less than a vector of columns, or one: `state` is its place in the arrays of StripState.
    struct Part {
        std::size_t count, column, state;
    };

    const T *const x;
    T *const y;
    const std::ptrdiff_t x_step, y_step;
    /// Real columns, rows folded into one, columns then; rows, and elements of a last one
    const std::size_t own, fold, columns, n, remainder;
    const std::size_t cut, padded; ///< columns before a cache line of y; of the arrays

    FS_INLINE StripShape(const ColumnsArguments<T> &a, std::size_t first, std::size_t count,
                         std::size_t rows)
        : x(a.x + first), y(a.y + first), x_step(a.x_step * static_cast<std::ptrdiff_t>(rows)),
          y_step(a.y_step * static_cast<std::ptrdiff_t>(rows)), own(count), fold(rows),
          columns(count * rows), n(a.n / rows), remainder(a.n % rows * count),
          cut(columns >= cut_from && rows == 1 ? first_aligned<V>(y) : 0),
          padded((cut ? lanes : 0) + (columns - cut + lanes - 1) / lanes * lanes) {}

    /// Rows a multiple of 4 KiB apart share the sets of an L1 cache.
    FS_INLINE bool far() const { return static_cast<std::size_t>(x_step) * sizeof(T) % 4096 == 0; }
    FS_INLINE const T *from(std::size_t row, const Part &p) const {
        return x + static_cast<std::ptrdiff_t>(row) * x_step + p.column;
    }
    FS_INLINE T *to(std::size_t row, const Part &p) const {
        return y + static_cast<std::ptrdiff_t>(row) * y_step + p.column;
    }
    /// A vector, or the first `count` lanes of one; -inf beyond.
    template <Lanes Used> static FS_INLINE V load(const T *p, std::size_t count) {
        return Used == Lanes::counted ? V::load_n(p, count, lowest_value<V>()) : V::load(p);
    }
    template <Lanes Used> static FS_INLINE void store(V v, T *p, std::size_t count) {
        if constexpr (Used == Lanes::counted)
            v.store_n(p, count);
        else
            v.store(p);
    }
    static FS_INLINE V load_count(const T *p, std::size_t count) {
        return count == lanes ? V::load(p) : load<Lanes::counted>(p, count);
    }
    static FS_INLINE void store_count(V v, T *p, std::size_t count) {
        if (count == lanes)
            v.store(p);
        else
            v.store_n(p, count);
    }
    FS_INLINE std::size_t state_of(std::size_t column) const {
        return cut && column >= cut ? column - cut + lanes : column;
    }

    /// whole(Part) for whole vectors, part(Part) for others.
    template <class Whole, class Incomplete>
    FS_INLINE void vectors(const Whole &whole, const Incomplete &part) const {
        std::size_t c = cut, s = cut ? lanes : 0;
        if (lanes > 1 && cut)
            part(Part{cut, 0, 0});
        for (; c + lanes <= columns; c += lanes, s += lanes)
            whole(Part{lanes, c, s});
        if (lanes > 1 && c < columns)
            part(Part{columns - c, c, s});
    }
    /// The rows that make no block, and what is left of a folded one: f(row, lanes of it).
    template <class F>
    FS_INLINE void each_remainder(std::size_t i, const Part &p, const F &f) const {
        for (; i < n; ++i)
            f(i, p.count);
        if (p.column < remainder)
            f(n, remainder - p.column < p.count ? remainder - p.column : p.count);
    }
};

template <class V> class StripState {
    using T = typename V::scalar;
    using Shape = StripShape<V>;
    using Weight = ExactWeight<V, Shift::none>;
    static constexpr std::size_t most = most_strip_columns + 2 * V::lanes, block = Shape::block;

    // sums and what they lost, from which the factors are made; exponents at the end
    alignas(64) T top_[most], factor_[most], lost_[most], last_[most];

  public:
    FS_INLINE V top(std::size_t s) const { return V::load(top_ + s); }
    FS_INLINE void set_top(std::size_t s, V top) { top.store(top_ + s); }

    /// z: the exponents of the first block.
    FS_INLINE void start(const Shape &shape, T *z) {
        for (std::size_t s = 0; s < shape.padded; s += V::lanes) {
            V::set(lowest_value<V>()).store(top_ + s);
            V::set(0.0).store(z + s);
            V::set(0.0).store(factor_ + s);
            V::set(0.0).store(lost_ + s);
        }
    }
    /// What Rows rows with these maxima so far do to a vector: f(weight, sum) takes their weights.
    /// z: exponents of the block before, and `padded` further on those of this one.
    template <std::size_t Rows, class F>
    FS_INLINE void step(V top, std::size_t s, T *z, std::size_t padded, const F &f) {
        set_top(s, top);
        // a column of -inf so far weighs 0 relative to anything
        const V m = V::max(top, V::set(-Weight::limit()));
        const V n = exp_floor(m);
        MaxSum<V, CompensatedLanes<V>> state{V::load(z + s),
                                             {V::load(factor_ + s), V::load(lost_ + s)}};
        for (std::size_t j = 1; j <= Rows / block; ++j)
            n.store(z + j * padded + s);
        state.rise_to(n, ByPowersOfTwo{});
        f(Weight(m), state.s);
        state.s.total.store(factor_ + s);
        state.s.lost.store(lost_ + s);
    }
    /// Makes factors of the sums; z: the last exponents.
    FS_INLINE void finish(const Shape &shape, const T *z) {
        for (std::size_t s = 0; s < shape.padded; s += V::lanes)
            V::load(z + s).store(last_ + s);
        if (shape.fold > 1)
            return merge(shape);
        for (std::size_t s = 0; s < shape.padded; ++s)
            factor_[s] = static_cast<T>(1 / sum(s));
    }
    /// What weights relative to the exponents z are multiplied by.
    FS_INLINE V factor(std::size_t s, const T *z) const {
        return V::load(factor_ + s) * ByPowersOfTwo{}(V::load(z + s), V::load(last_ + s));
    }
    /// Whether the caller must do a column: its maximum is extreme or infinite.
    FS_INLINE bool is_declined(std::size_t s) const {
        const bool nothing = top_[s] == lowest_value<V>();
        return !(top_[s] < Weight::limit() && (top_[s] > -Weight::limit() || nothing));
    }

  private:
    FS_INLINE double sum(std::size_t s) const { return static_cast<double>(factor_[s]) + lost_[s]; }

    /// Of the columns side by side that are one column: they end with one sum and one exponent.
    FS_INLINE void merge(const Shape &shape) {
        for (std::size_t c = 0; c < shape.own; ++c) {
            for (std::size_t s = c; s < shape.columns; s += shape.own)
                top_[c] = top_[s] > top_[c] ? top_[s] : top_[c];
            if (is_declined(c))
                continue;
            MaxSum<std::int32_t, double> total{exponent_of_nothing, 0};
            for (std::size_t s = c; s < shape.columns; s += shape.own)
                total.merge(
                    MaxSum<std::int32_t, double>{static_cast<std::int32_t>(last_[s]), sum(s)},
                    ByPowersOfTwo{});
            for (std::size_t s = c; s < shape.columns; s += shape.own)
                factor_[s] = static_cast<T>(1 / total.s), last_[s] = static_cast<T>(total.m);
        }
    }
};

} // namespace fastsoftmax
