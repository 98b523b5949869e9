// Softmax of int8 rows whose weights are a function of d = m - x: the passes, for any such
// function.
//
// Rows go in groups through four phases: maxima, sums, quotients, results. One row's reductions and
// division are a chain of some 60 cycles, which only other rows can hide; vectors of 16 rows are
// folded together, and their quotients are one loop that the compiler turns into vectors. Short
// rows go in groups of 64, or 16 rows' work would be done before their chain is; long ones in
// groups of 16, to stay in the L1 cache. A row is read in three of the phases, and d computed again
// rather than cached, which costs less than a store and a load where rows are in cache; but where
// weights cost more than that, they are cached (weight_cache.hpp).
//
// Method says what a weight is: clamp(d), weights(d), sum(weights), scaled(weights), quotients from
// the sums, normalise(scaled). Its arithmetic is exact, so bits depend neither on the ISA nor on
// how rows are grouped.
//
// Edges: positions that are masked or beyond the end are -128 for the maximum, and their weights
// are cleared; a row without any other position has Z = 0 and gives 0. Sums are taken in blocks of
// 65536 elements, whose words fit 32 bits.
#pragma once
#include "kernels/int8/broadcast.hpp"
#include "kernels/int8/lookup.hpp"
#include "kernels/int8/vectors.hpp"
#include "kernels/int8/weight_cache.hpp"
#include "vec/int8_concept.hpp"

namespace fastsoftmax {

/// In place of the size of a table that results are looked up in.
inline constexpr int no_lookup = 0;

/// Chunks: whole vectors in a row, which unrolls the loops, or any_length. Entries: size of the
/// table that results are looked up in.
template <class Method, class V, int Chunks, bool Masked, int Entries> class Int8Rows {
    using Vectors = RowVectors<V, Chunks, Masked>;
    static constexpr std::size_t group = Chunks >= 0 && Chunks <= 2 ? 64 : 16;
    using Words = typename V::Words;
    using Sums = typename V::Sums;
    using Out = typename Method::Out;
    using Weights = typename Method::Weights;
    using Cache = WeightCache<Method, V, Chunks, Masked, group>;
    static constexpr bool words = sizeof(Out) == 2;

  public:
    static void run(const Int8Arguments &a, const Method &method) {
        const Table table(method);
        for (std::size_t r = 0; r < a.rows; r += group)
            Int8Rows(a, method, table, r, a.rows - r < group ? a.rows - r : group).phases();
    }

  private:
    using Table = WeightTable<Method, V, Entries>;

    FS_INLINE Int8Rows(const Int8Arguments &a, const Method &method, const Table &table,
                       std::size_t first, std::size_t rows)
        : a_(a), method_(method), table_(table), first_(first), rows_(rows), x_(a, first, rows) {}

    FS_INLINE void phases() {
        const std::size_t used = (rows_ + V::folds - 1) / V::folds;
        for (std::size_t b = 0; b < used; ++b)
            find_maxima(b * V::folds);
        for (std::size_t b = 0; b < used; ++b)
            find_totals(b * V::folds);
        for (std::size_t b = 0; b < rows_; b += 16)
            method_.prepare(a_.n, total_ + b, count_ + b, Masked, prepared_[b / 16]);
        for (std::size_t i = 0; i < rows_; ++i)
            write(i);
    }

    const std::uint8_t *mask(std::size_t i, std::size_t at) const {
        if constexpr (!Masked)
            return nullptr;
        const std::size_t row = first_ + (i < rows_ ? i : rows_ - 1);
        return a_.mask + static_cast<std::ptrdiff_t>(row) * a_.mask_stride + at;
    }

    FS_INLINE void find_maxima(std::size_t b) {
        V v[V::folds];
        Sums counts[V::folds];
        for (int g = 0; g < V::folds; ++g) {
            const std::size_t i = b + static_cast<std::size_t>(g);
            const std::int8_t *row = x_[i];
            v[g] = V::set(-128);
            counts[g] = V::no_sums();
            Vectors::each(0, a_.n, [&](std::size_t at, auto n) __attribute__((always_inline)) {
                V value = Vectors::load(row + at, n);
                if constexpr (Masked) {
                    const V k = Vectors::counted(mask(i, at), n);
                    value = V::where(k, value, V::set(-128));
                    counts[g] = V::add_bytes(counts[g], k & V::set(1));
                }
                v[g] = V::max(v[g], value);
            });
        }
        V::maxima(v, maximum_ + b);
        if constexpr (Masked)
            V::totals(counts, count_ + b);
    }

    FS_INLINE void find_totals(std::size_t b) {
        constexpr std::size_t block = 65536;
        std::uint64_t wide[V::folds] = {};
        std::int32_t part[V::folds];
        if (Chunks >= 0 || a_.n <= block)
            return sum_block(b, 0, a_.n, total_ + b);
        for (std::size_t begin = 0; begin < a_.n; begin += block) {
            sum_block(b, begin, a_.n - begin < block ? a_.n - begin : block, part);
            for (int g = 0; g < V::folds; ++g)
                wide[g] += static_cast<std::uint32_t>(part[g]);
        }
        for (int g = 0; g < V::folds; ++g)
            total_[b + static_cast<std::size_t>(g)] = Method::fitted(wide[g], a_.n);
    }

    FS_INLINE void sum_block(std::size_t b, std::size_t begin, std::size_t n, std::int32_t *to) {
        Sums sums[V::folds];
        for (int g = 0; g < V::folds; ++g) {
            const std::size_t i = b + static_cast<std::size_t>(g);
            const std::int8_t *row = x_[i];
            const V m = V::spread(maximum_[i]);
            Out *const y = row_of_y(i);
            sums[g] = V::no_sums();
            Vectors::each(begin, n, [&](std::size_t at, auto count) __attribute__((always_inline)) {
                using Kind = decltype(count);
                constexpr bool partial = Vectors::template partial<Kind>,
                               ordered = Cache::any && words;
                const V d = method_.clamp(m - Vectors::load(row + at, count));
                const Weights w = method_.weights(ordered ? V::ordered(d) : d);
                V k = d;
                if constexpr (partial)
                    k = Vectors::counted(mask(i, at), count);
                if constexpr (Cache::template of<Kind>)
                    cache_.put(w, i, at, y, a_.n);
                sums[g] = method_.template sum<partial>(sums[g], w, ordered ? V::ordered(k) : k);
            });
        }
        V::totals(sums, to);
    }

    FS_INLINE void write(std::size_t i) {
        const auto scale = method_.scale(prepared_[i / 16], OneRow<V>{i % 16});
        Out *const y = row_of_y(i);
        if constexpr (Entries > 0) {
            const RowTable<Method, V, Entries> table(table_, method_, scale);
            write(i, y, [&](std::size_t at, auto n) __attribute__((always_inline)) {
                return table.result(distances(i, at, n));
            });
        } else {
            write(i, y, [&](std::size_t at, auto n) __attribute__((always_inline)) {
                const Words p = method_.normalise(method_.scaled(weights(i, at, n, y)), scale);
                if constexpr (words)
                    return p;
                else
                    return V::narrow(p);
            });
        }
    }

    /// Writes result(offset, kind of vector).
    template <class F> FS_INLINE void write(std::size_t i, Out *y, const F &result) {
        Vectors::each(0, a_.n, [&](std::size_t at, auto n) __attribute__((always_inline)) {
            auto p = result(at, n);
            if constexpr (Masked && words) {
                const V k = V::ordered(Vectors::unmasked(mask(i, at), n));
                p = p & V::zip(k, k);
            } else if constexpr (Masked) {
                p = p & Vectors::unmasked(mask(i, at), n);
            }
            Vectors::store(p, y + at, n);
        });
    }
    /// Beyond the last row it is repeated.
    FS_INLINE Out *row_of_y(std::size_t i) const {
        const std::size_t row = first_ + (i < rows_ ? i : rows_ - 1);
        return static_cast<Out *>(a_.y) + static_cast<std::ptrdiff_t>(row) * a_.y_stride;
    }
    /// d, as results want it.
    template <class Kind> FS_INLINE V distances(std::size_t i, std::size_t at, Kind n) const {
        const V d = method_.clamp(V::spread(maximum_[i]) - Vectors::load(x_[i] + at, n));
        return words ? V::ordered(d) : d;
    }
    template <class Kind> FS_INLINE Weights weights(std::size_t i, std::size_t at, Kind n, Out *y) {
        if constexpr (Cache::template of<Kind>)
            return cache_.get(i, at, y, a_.n);
        else
            return method_.weights(distances(i, at, n));
    }

    const Int8Arguments &a_;
    const Method &method_;
    const Table &table_;
    const std::size_t first_, rows_;
    const RowPointers<V, group> x_;
    // beyond the last row they are read, but count for nothing
    alignas(64) std::int32_t maximum_[group], total_[group] = {}, count_[group] = {};
    typename Method::Prepared prepared_[group / 16];
    Cache cache_;
};

} // namespace fastsoftmax
