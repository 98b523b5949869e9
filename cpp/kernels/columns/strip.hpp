// A strip of columns, row by row: the two passes of blocked.hpp.
#pragma once
#include "kernels/columns/strip_state.hpp"

namespace fastsoftmax {

template <class V> class ColumnStrip {
    using T = typename V::scalar;
    using Shape = StripShape<V>;
    using Part = typename Shape::Part;
    static constexpr std::size_t block = Shape::block;
    /// Of 16 rows, where that is worth its space in the library.
    static constexpr bool wide_blocks = V::lanes > 1 && sizeof(T) == 4;

  public:
    /// `fold` rows are taken as one.
    FS_INLINE ColumnStrip(const ColumnsArguments<T> &a, std::size_t first, std::size_t columns,
                          std::size_t fold)
        : shape_(a, first, columns, fold), z_(a.z) {}

    // Not inlined, since called from several places
    __attribute__((noinline)) void run() {
        T *z = weigh_all();
        state_.finish(shape_, z);
        std::size_t i = shape_.n / block * block;
        if (i < shape_.n || shape_.remainder) {
            const auto remainder = [&](const Part &p) { scale_remainder(i, p, z); };
            shape_.vectors(remainder, remainder);
            z -= shape_.padded;
        }
        for (; i > 0; z -= shape_.padded) {
            i -= block;
            shape_.vectors([&](const Part &p) { scale<Lanes::all>(i, p, z); },
                           [&](const Part &p) { scale_part(i, p, z); });
        }
    }
    /// Whether the caller must do a column.
    FS_INLINE bool is_declined(std::size_t column) const {
        return state_.is_declined(shape_.state_of(column));
    }

  private:
    /// Returns the last exponents.
    FS_INLINE T *weigh_all() {
        const std::size_t n = shape_.n, padded = shape_.padded;
        T *z = z_;
        state_.start(shape_, z);
        std::size_t i = 0;
        if (wide_blocks && !shape_.far())
            for (; i + 2 * block <= n; i += 2 * block, z += 2 * padded)
                shape_.vectors([&](const Part &p) { weigh<2 * block>(i, p, z); },
                               [&](const Part &p) {
                                   look_ahead(i + block, p); // exponents are those of whole vectors
                                   weigh_part(i, p, z);
                                   weigh_part(i + block, p, z + padded);
                               });
        for (; i + block <= n; i += block, z += padded)
            shape_.vectors([&](const Part &p) { weigh<block>(i, p, z); },
                           [&](const Part &p) { weigh_part(i, p, z); });
        if (i == n && !shape_.remainder)
            return z;
        const auto remainder = [&](const Part &p) { weigh_remainder(i, p, z); };
        shape_.vectors(remainder, remainder);
        return z + padded;
    }

    template <std::size_t Rows, Lanes Used = Lanes::all>
    FS_INLINE void weigh(std::size_t i, const Part &p, T *z) {
        V in[Rows], top = state_.top(p.state), other = V::set(lowest_value<V>());
#pragma GCC unroll 16
        for (std::size_t j = 0; j < Rows; ++j)
            in[j] = Shape::template load<Used>(shape_.from(i + j, p), p.count);
#pragma GCC unroll 8
        for (std::size_t j = 0; j < Rows; j += 2) { // passes over NaN
            top = V::max(in[j], top);
            other = V::max(in[j + 1], other);
        }
        const auto weights = [&](const auto &weight, auto &sum) {
#pragma GCC unroll 2
            for (std::size_t k = 0; k < Rows; k += block)
                sum.add(tree_sum<block, V>([&](std::size_t j) {
                    const V w = weight(in[k + j]);
                    Shape::template store<Used>(w, shape_.to(i + k + j, p), p.count);
                    return w;
                }));
        };
        state_.template step<Rows>(V::max(top, other), p.state, z, shape_.padded, weights);
    }
    __attribute__((noinline)) void weigh_part(std::size_t i, const Part &p, T *z) {
        weigh<block, Lanes::counted>(i, p, z);
    }
    __attribute__((noinline)) void look_ahead(std::size_t i, const Part &p) {
        V top = state_.top(p.state);
        for (std::size_t j = 0; j < block; ++j)
            top = V::max(Shape::template load<Lanes::counted>(shape_.from(i + j, p), p.count), top);
        state_.set_top(p.state, top);
    }
    __attribute__((noinline)) void weigh_remainder(std::size_t i, const Part &p, T *z) {
        V top = state_.top(p.state);
        shape_.each_remainder(i, p, [&](std::size_t row, std::size_t count) {
            top = V::max(Shape::load_count(shape_.from(row, p), count), top);
        });
        const auto weights = [&](const auto &weight, auto &sum) {
            shape_.each_remainder(i, p, [&](std::size_t row, std::size_t count) {
                const V w = weight(Shape::load_count(shape_.from(row, p), count));
                Shape::store_count(w, shape_.to(row, p), count);
                sum.add(w);
            });
        };
        state_.template step<block>(top, p.state, z, shape_.padded, weights);
    }

    /// Loads go before stores: the masked store of a narrow row delays loads of the next rows.
    template <Lanes Used> FS_INLINE void scale(std::size_t i, const Part &p, const T *z) const {
        const V factor = state_.factor(p.state, z);
        V out[block];
#pragma GCC unroll 8
        for (std::size_t j = 0; j < block; ++j)
            out[j] = Shape::template load<Used>(shape_.to(i + j, p), p.count) * factor;
#pragma GCC unroll 8
        for (std::size_t j = 0; j < block; ++j)
            Shape::template store<Used>(out[j], shape_.to(i + j, p), p.count);
    }
    __attribute__((noinline)) void scale_part(std::size_t i, const Part &p, const T *z) const {
        scale<Lanes::counted>(i, p, z);
    }
    __attribute__((noinline)) void scale_remainder(std::size_t i, const Part &p, const T *z) const {
        const V factor = state_.factor(p.state, z);
        shape_.each_remainder(i, p, [&](std::size_t row, std::size_t count) {
            T *const y = shape_.to(row, p);
            Shape::store_count(Shape::load_count(y, count) * factor, y, count);
        });
    }

    const Shape shape_;
    T *const z_;
    StripState<V> state_;
};

} // namespace fastsoftmax
