// Softmax of int8 rows whose weights are a function of d = m - x: the passes, for any such
// function.
//
// Rows go in groups of 16 through four phases: maxima, sums, quotients, results. One row's
// reductions and division are a chain of some 60 cycles, which only other rows can hide; the
// vectors of a group are folded together, and the quotients of all of it are one loop that the
// compiler turns into vectors. A row is read in three of the phases; d and the weights are computed
// again rather than kept, which costs less than a store and a load where rows are in cache.
//
// Method says what a weight is: clamp(d), weigh(d), quotients from the sums, normalise(weight). Its
// arithmetic is exact, so bits depend neither on the ISA nor on how rows are grouped.
//
// Edges: positions that are masked or beyond the end are -128 for the maximum, and their weights
// are cleared; a row without any other position has Z = 0 and gives 0. Sums are taken in blocks of
// 65536 elements, whose words fit 32 bits.
#pragma once
#include "kernels/arguments.hpp"
#include "kernels/row_table.hpp"
#include "vec/int8_concept.hpp"
#include <type_traits>

namespace fastsoftmax {

/// Chunks: whole vectors in a row, where known (it unrolls the loops), else -1. Entries: size of
/// the table that results are looked up in, 0 for none.
template <class Method, class V, int Chunks, bool Masked, int Entries> class Int8Rows {
    static constexpr std::size_t lanes = V::lanes, group = 16;
    using Words = typename V::Words;
    using Sums = typename V::Sums;
    using Out = typename Method::Out;

  public:
    static void run(const Int8Arguments &a, const Method &method) {
        const Weights weights(method);
        for (std::size_t r = 0; r < a.rows; r += group)
            Int8Rows(a, method, weights, r, a.rows - r < group ? a.rows - r : group).phases();
    }

  private:
    using Weights = WeightTable<Method, V, Entries>;

    FS_INLINE Int8Rows(const Int8Arguments &a, const Method &method, const Weights &weights,
                       std::size_t first, std::size_t rows)
        : a_(a), method_(method), weights_(weights), first_(first), rows_(rows) {}

    FS_INLINE void phases() {
        const std::size_t used = (rows_ + V::folds - 1) / V::folds;
        for (std::size_t b = 0; b < used; ++b)
            find_maxima(b * V::folds);
        for (std::size_t b = 0; b < used; ++b)
            find_totals(b * V::folds);
        method_.prepare(a_.n, total_, count_, Masked, prepared_);
        for (std::size_t i = 0; i < rows_; ++i)
            write(i);
    }

    struct Whole {}; ///< a vector of the row
    struct Last {    ///< one that overlaps its predecessor: `rest` lanes are new
        std::size_t rest;
    };

    /// Calls f for each vector of a row: offset, and which kind; shorter rows have no whole vector,
    /// but a number of elements.
    template <class F> FS_INLINE void each_vector(std::size_t begin, std::size_t n, const F &f) {
        const std::size_t whole = Chunks >= 0 ? Chunks : n / lanes, rest = n % lanes;
#pragma GCC unroll 8
        for (std::size_t j = 0; j < whole; ++j)
            f(begin + j * lanes, Whole{});
        if (lanes == 1 || !rest)
            return;
        if (Chunks > 0 || (Chunks < 0 && begin + n >= lanes))
            f(begin + n - lanes, Last{rest});
        else
            f(begin, rest);
    }

    const std::int8_t *x(std::size_t i) const {
        return a_.x + static_cast<std::ptrdiff_t>(source(i)) * a_.x_stride;
    }
    const std::uint8_t *mask(std::size_t i) const {
        return a_.mask + static_cast<std::ptrdiff_t>(source(i)) * a_.mask_stride;
    }
    /// Beyond the last row a group repeats it, to have no special case.
    std::size_t source(std::size_t i) const { return first_ + (i < rows_ ? i : rows_ - 1); }

    static FS_INLINE V load(const std::int8_t *p, Whole) { return V::load(p); }
    static FS_INLINE V load(const std::int8_t *p, Last) { return V::load(p); }
    static FS_INLINE V load(const std::int8_t *p, std::size_t n) { return V::load_n(p, n); }
    /// Lanes that take part and weren't met before.
    FS_INLINE V kept(std::size_t i, std::size_t at, Whole) const { return V::kept(mask(i) + at); }
    FS_INLINE V kept(std::size_t i, std::size_t at, Last last) const {
        const V fresh = V::last(last.rest);
        return Masked ? fresh & V::kept(mask(i) + at) : fresh;
    }
    FS_INLINE V kept(std::size_t i, std::size_t at, std::size_t n) const {
        return Masked ? V::kept_n(mask(i) + at, n) : V::first(n);
    }
    /// Whether some lanes of a vector may be left out.
    template <class Count> static constexpr bool partial = Masked || !std::is_same_v<Count, Whole>;

    FS_INLINE void find_maxima(std::size_t b) {
        V v[V::folds];
        Sums counts[V::folds];
        for (int g = 0; g < V::folds; ++g) {
            const std::size_t i = b + static_cast<std::size_t>(g);
            const std::int8_t *row = x(i);
            v[g] = V::set(-128);
            counts[g] = V::no_sums();
            each_vector(0, a_.n, [&](std::size_t at, auto n) __attribute__((always_inline)) {
                V value = load(row + at, n);
                if constexpr (Masked) {
                    const V k = kept(i, at, n);
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
            const std::int8_t *row = x(i);
            const V m = V::set(maximum_[i]);
            sums[g] = V::no_sums();
            each_vector(begin, n, [&](std::size_t at, auto count) __attribute__((always_inline)) {
                const V d = method_.clamp(m - load(row + at, count));
                V k = d;
                if constexpr (partial<decltype(count)>)
                    k = kept(i, at, count);
                sums[g] = method_.template sum<partial<decltype(count)>>(sums[g], d, k);
            });
        }
        V::totals(sums, to);
    }

    FS_INLINE void write(std::size_t i) {
        const std::int8_t *row = x(i);
        Out *y = static_cast<Out *>(a_.y) + static_cast<std::ptrdiff_t>(first_ + i) * a_.y_stride;
        const V m = V::set(maximum_[i]);
        const auto scale = method_.scale(prepared_, static_cast<int>(i));
        const auto results = [&](const auto &of) __attribute__((always_inline)) {
            each_vector(0, a_.n, [&](std::size_t at, auto n) __attribute__((always_inline)) {
                V d = method_.clamp(m - load(row + at, n));
                V k = d;
                if constexpr (Masked)
                    k = mask_of(i, at, n);
                if constexpr (words) {
                    d = V::ordered(d);
                    k = V::ordered(k);
                }
                put(of(d), k, y + at, n);
            });
        };
        if constexpr (Entries == 0) {
            results([&](V d) __attribute__((always_inline)) {
                return result_of(method_.normalise(method_.weigh(d), scale));
            });
        } else {
            const RowTable<Method, V, Entries> table(weights_, method_, scale);
            results([&](V d) __attribute__((always_inline)) {
                if constexpr (words)
                    return table.results(d);
                else
                    return table.bytes(d);
            });
        }
    }

    static constexpr bool words = sizeof(Out) == 2;
    static FS_INLINE auto result_of(Words p) {
        if constexpr (words)
            return p;
        else
            return V::narrow(p);
    }
    FS_INLINE V mask_of(std::size_t i, std::size_t at, std::size_t n) const {
        return V::kept_n(mask(i) + at, n);
    }
    template <class Count> FS_INLINE V mask_of(std::size_t i, std::size_t at, Count) const {
        return V::kept(mask(i) + at);
    }
    template <class Result, class Count>
    static FS_INLINE void put(Result p, V k, Out *to, Count n) {
        if constexpr (Masked && words)
            p = p & V::zip(k, k);
        else if constexpr (Masked)
            p = p & k;
        if constexpr (std::is_same_v<Count, std::size_t>)
            p.store_n(to, n);
        else
            p.store(to);
    }

    const Int8Arguments &a_;
    const Method &method_;
    const Weights &weights_;
    const std::size_t first_, rows_;
    // beyond the last row they are read, but count for nothing
    alignas(64) std::int32_t maximum_[group], total_[group] = {}, count_[group] = {};
    typename Method::Prepared prepared_;
};

/// Chooses the class of a row length.
template <class Method, class V, int Entries = 0, int Chunks = 0>
void rows_of_length(const Int8Arguments &a, const Method &method) {
    constexpr std::size_t lanes = V::lanes;
    if (a.mask)
        Int8Rows<Method, V, -1, true, Entries>::run(a, method);
    else if constexpr (Chunks > 4 || lanes == 1 || Entries > 64)
        Int8Rows<Method, V, -1, false, Entries>::run(a, method);
    else if (a.n / lanes == Chunks)
        Int8Rows<Method, V, Chunks, false, Entries>::run(a, method);
    else
        rows_of_length<Method, V, Entries, Chunks + 1>(a, method);
}

/// `entries`: a table of so many d, 64, 128 or 256, has all weights that differ. Results are looked
/// up where rows are as long as it.
template <class Method, class V>
void int8_rows(const Int8Arguments &a, const Method &method, std::size_t entries) {
    if constexpr (PermutesBytes<V>) {
        if (a.n >= entries) {
            if (entries == 64)
                return rows_of_length<Method, V, 64>(a, method);
            if (entries == 128)
                return rows_of_length<Method, V, 128>(a, method);
            return rows_of_length<Method, V, 256>(a, method);
        }
    }
    rows_of_length<Method, V>(a, method);
}

} // namespace fastsoftmax
