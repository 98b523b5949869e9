// Softmax of columns in one walk down memory: blocks with maxima of their own, merged after.
//
// What long_rows.hpp is for rows. A block of a tile of columns fits L1: its maxima are taken, then
// its weights, relative to the power of two that the maxima so far call for, go straight to y. The
// sums follow a rising maximum by a power of two, which is exact. A last pass multiplies each block
// by its own factor, the last block first: it is still in cache. Of scratch space only the
// exponents are kept, so that x, y and nothing else pass through the caches.
//
// For exp only: surrogates' weights relative to two maxima can't be compared. x must not be y.
// A column whose maximum is extreme or infinite, or was at the end of a block, is left to the
// caller, who overwrites what is garbage here. Columns of -inf, or with a NaN, turn out as NaN by
// their sums. No column's bits depend on its neighbours: blocks have one length for all tiles.
#pragma once
#include "common/variants.hpp"
#include "kernels/arguments.hpp"
#include "kernels/column_tile.hpp"

namespace fastsoftmax {

template <class V> class BlockedColumns {
    using T = typename V::scalar;
    using C = ExpConstants<T>;
    using Weight = ExactWeight<V, false>;
    static constexpr std::size_t lanes = V::lanes;
    static constexpr std::size_t block_bytes = 16384;

  public:
    /// From here on the weights of a tile would crowd x and y out of an L2 cache. Time against one
    /// pass after another, AVX-512 and AVX2: 64 columns of 4096 0.65x, 0.84x; 16 of 16384 0.62x,
    /// 0.86x. Shorter columns of 1024 neighbours, whose rows evict each other from L1: 128 1.5x,
    /// 2.0x; 1024 0.92x, 1.5x.
    static constexpr std::size_t shortest = 8192 / sizeof(T);

    static bool takes(const ColumnsArguments<T> &a) {
        return a.n >= shortest && a.z != a.x && a.x != a.y;
    }

    /// f(arguments) does columns that are left.
    template <class F> static FS_INLINE void run(const ColumnsArguments<T> &a, const F &f) {
        std::size_t c = 0;
        const auto left = [&](std::size_t column, std::size_t count) {
            ColumnsArguments<T> rest = a;
            rest.x += column;
            rest.y += column;
            rest.columns = count;
            f(rest);
        };
        const auto tile = [&](auto walk, std::size_t count) {
            if (!walk.run(a, c, count))
                left(c, count);
            else if (walk.some_left())
                for (std::size_t i = 0; i < count; ++i)
                    if (walk.is_left(i))
                        left(c + i, 1);
            c += count;
        };
        while (c + 4 * lanes <= a.columns)
            tile(Walk<4, true>(), 4 * lanes);
        while (c + lanes <= a.columns)
            tile(Walk<1, true>(), lanes);
        if (c < a.columns)
            tile(Walk<1, false>(), a.columns - c);
    }

  private:
    static constexpr std::size_t rows = block_bytes / (4 * lanes * sizeof(T)); // of a block

    template <int Vectors, bool Full> class Walk {
        using Tile = ColumnTile<V, Full>;
        V top[Vectors], exponent[Vectors], furthest[Vectors];
        CompensatedLanes<V> sums[Vectors];

      public:
        /// False if all columns are left. Not inlined, since called from several places.
        __attribute__((noinline)) bool run(const ColumnsArguments<T> &a, std::size_t first,
                                           std::size_t count) {
            Tile x[Vectors], y[Vectors];
            for (int v = 0; v < Vectors; ++v) {
                const std::size_t c = first + v * lanes;
                x[v] = {const_cast<T *>(a.x) + c, a.x_step, a.n, count}; // is read only
                y[v] = {a.y + c, a.y_step, a.n, count};
                top[v] = V::set(lowest_value<V>());
                exponent[v] = furthest[v] = V::set(0.0);
            }
            T *exponents = a.z;
            for (std::size_t begin = 0; begin < a.n; begin += rows) {
                const std::size_t end = a.n - begin < rows ? a.n : begin + rows;
                if (!take_maxima(x, begin, end))
                    return false;
                for (int v = 0; v < Vectors; ++v, exponents += lanes) {
                    weigh(v, x[v], y[v], begin, end);
                    exponent[v].store(exponents);
                }
            }
            V factor[Vectors];
            for (int v = 0; v < Vectors; ++v)
                factor[v] = reciprocal(sums[v]);
            for (std::size_t end = a.n, begin = 0; end > 0; end = begin) {
                begin = (end - 1) / rows * rows;
                exponents -= Vectors * lanes;
                scale(y, begin, end, factor, exponents);
            }
            return true;
        }
        bool some_left() const {
            V most = furthest[0];
            for (int v = 1; v < Vectors; ++v)
                most = V::max(most, furthest[v]);
            return !(V::reduce_max(most) < Weight::limit());
        }
        bool is_left(std::size_t column) const {
            T each[lanes];
            furthest[column / lanes].store(each);
            return !(each[column % lanes] < Weight::limit());
        }

      private:
        /// False if the maxima so far leave no column.
        FS_INLINE bool take_maxima(const Tile *x, std::size_t begin, std::size_t end) {
            for (std::size_t i = begin; i < end; ++i)
                for (int v = 0; v < Vectors; ++v)
                    top[v] = V::max(x[v].load(i), top[v]); // passes over NaN
            V least = V::set(-lowest_value<V>());
            for (int v = 0; v < Vectors; ++v) {
                const V size = V::zero_where_le(V::abs(top[v]), top[v], V::set(lowest_value<V>()));
                furthest[v] = V::max(size, furthest[v]);
                least = V::min(furthest[v], least);
            }
            return -V::reduce_max(V::set(0.0) - least) < Weight::limit();
        }
        FS_INLINE void weigh(int v, const Tile &x, const Tile &y, std::size_t begin,
                             std::size_t end) {
            // a column of -inf so far weighs 0 relative to anything
            const V m = V::max(top[v], V::set(-Weight::limit()));
            const V n = exp_floor(m), change = power_of_two(exponent[v] - n);
            const Weight weight(m);
            CompensatedLanes<V> sum{sums[v].total * change, sums[v].lost * change};
            const auto take = [&](std::size_t i) {
                const V w = weight(x.load(i));
                y.store(i, w);
                return w;
            };
            std::size_t i = begin;
            for (; i + 8 <= end; i += 8)
                sum.add(tree_sum<8, V>([&](std::size_t j) { return take(i + j); }));
            for (; i < end; ++i)
                sum.add(take(i));
            sums[v] = sum;
            exponent[v] = n;
        }
        /// Loads go before stores: the masked store of a narrow row delays loads of the next rows.
        FS_INLINE void scale(const Tile *y, std::size_t begin, std::size_t end, const V *factor,
                             const T *exponents) const {
            constexpr std::size_t batch = 8 / Vectors;
            V own[Vectors];
            for (int v = 0; v < Vectors; ++v)
                own[v] = factor[v] * power_of_two(V::load(exponents + v * lanes) - exponent[v]);
            std::size_t i = begin;
            for (; i + batch <= end; i += batch)
                scale_rows<batch>(y, i, own);
            for (; i < end; ++i)
                scale_rows<1>(y, i, own);
        }
        template <std::size_t Batch>
        FS_INLINE void scale_rows(const Tile *y, std::size_t i, const V *own) const {
            V p[Batch][Vectors];
            for (std::size_t j = 0; j < Batch; ++j)
                for (int v = 0; v < Vectors; ++v)
                    p[j][v] = y[v].load(i + j) * own[v];
            for (std::size_t j = 0; j < Batch; ++j)
                for (int v = 0; v < Vectors; ++v)
                    y[v].store(i + j, p[j][v]);
        }
    };

    /// 2^k, k <= 0; 0 where that is no normal number, 1 for k > 0: the sum so far is 0 then.
    static FS_INLINE V power_of_two(V k) {
        constexpr double none = sizeof(T) == 4 ? -127 : -1023;
        const V known = V::min(V::max(k, V::set(none)), V::set(0.0));
        return V::shift_exponent(V::set(1.0), known + V::set(C::magic));
    }
    static FS_INLINE V reciprocal(const CompensatedLanes<V> &sum) {
        T total[lanes], lost[lanes];
        sum.total.store(total);
        sum.lost.store(lost);
        for (std::size_t i = 0; i < lanes; ++i)
            total[i] = static_cast<T>(1 / (static_cast<double>(total[i]) + lost[i]));
        return V::load(total);
    }
};

} // namespace fastsoftmax
