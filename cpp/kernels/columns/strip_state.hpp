// The states of the columns of a strip: maxima, sums, and the exponents that those are relative to.
#pragma once
#include "common/compensated_sum.hpp"
#include "common/max_sum.hpp"
#include "common/weights/variants.hpp"
#include "kernels/columns/strip_shape.hpp"
#include "kernels/rows/shared_row.hpp"

namespace fastsoftmax {

template <class V> class StripState {
    using T = typename V::scalar;
    using Shape = StripShape<V>;
    using Weight = ExactWeight<V, false>;
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
    FS_INLINE bool is_left(std::size_t s) const {
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
            if (is_left(c))
                continue;
            MaxSum<std::int32_t, double> total{exponent_of_nothing, 0};
            for (std::size_t s = c; s < shape.columns; s += shape.own)
                total.merge(MaxSum{static_cast<std::int32_t>(last_[s]), sum(s)}, ByPowersOfTwo{});
            for (std::size_t s = c; s < shape.columns; s += shape.own)
                factor_[s] = static_cast<T>(1 / total.s), last_[s] = static_cast<T>(total.m);
        }
    }
};

} // namespace fastsoftmax
