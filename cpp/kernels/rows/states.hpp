// The states (m, s) of rows, m = max x and s = sum w(x - m): the first half of `normalizer` and of
// `log_softmax`.
// The exp variants weigh x relative to a power of two near e^m, so s is divided by the weight of m
// itself, taken by the exact variant: the reduction error they share cancels.
//
// Short rows are reduced together (short.hpp), long ones of `exact` are read once, by blocks
// (block_states.hpp); between those, one pass takes m, one s. Groups of rows are handed on, so that
// what is done with their states is vector arithmetic, too.
// Error of s, exact: relative 5e-7 (float32), 4e-15 (float64). Edges: no element, or -inf only:
// (-inf, 0). Any NaN: (NaN, NaN). +inf: (+inf, NaN), since inf - inf has no value.
#pragma once
#include "common/max_sum.hpp"
#include "common/weights/unit.hpp"
#include "kernels/rows/block_states.hpp"
#include "kernels/rows/passes.hpp"
#include "kernels/rows/short.hpp"
#include <type_traits>

namespace fastsoftmax {

template <class Variant, class V> class RowStates {
    using T = typename V::scalar;
    using Weight = typename Variant::template Weight<V, Shift::none>;
    static constexpr std::size_t lanes = V::lanes;
    static constexpr bool exact = std::same_as<Variant, variant::exact>;
    static constexpr std::size_t in_cache = 16384 / sizeof(T); ///< elements of a group

  public:
    /// Of a group of rows; those that are missing from a group have no states.
    struct Group {
        static constexpr std::size_t most = 64;
        alignas(64) T m[most];
        alignas(64) double s[most];
    };

    /// Calls f(number of the first row, number of rows, states) for groups of rows.
    template <class F>
    static FS_INLINE void each(const T *x, std::ptrdiff_t stride, std::size_t rows, std::size_t n,
                               const F &f) {
        const auto row = [=](std::size_t r) { return x + static_cast<std::ptrdiff_t>(r) * stride; };
        if constexpr (FoldsRows<V> && exact) { // not for surrogates: the library would outgrow 2 MB
            if (n > 0 && n <= RowGroup<Variant, V, any_vectors, LastVector::partial>::longest)
                return fold<1>(x, stride, rows, n, f);
        }
        if constexpr (exact) {
            if (is_long_row<T>(n))
                return by_blocks(x, stride, rows, n, f);
        }
        const std::size_t fit = n < in_cache ? in_cache / (n + 1) : 1;
        const std::size_t most = fit < Group::most ? fit : Group::most;
        for (std::size_t r = 0; r < rows; r += most) {
            const std::size_t count = rows - r < most ? rows - r : most;
            Group group;
            for (std::size_t i = 0; i < count; ++i)
                put(group, i, of_row(row(r + i), n));
            f(r, count, group);
        }
    }

  private:
    struct State {
        T m;
        double s;
    };
    // Not inlined, since called from several places
    __attribute__((noinline)) static State of_row(const T *x, std::size_t n) {
        const T m = row_max<V>(x, n);
        if (__builtin_expect(m - m != 0, 0)) {
            const auto [top, s] = state_at_infinity(x, n, m);
            return {top, s};
        }
        const double s = with_weight<Variant, V>(m, [&](const auto &weight) {
            using Weight = std::remove_cvref_t<decltype(weight)>;
            return weigh<Storing::nothing, V>(weight, x, nullptr, n) / unit_weight<V, Weight>(m);
        });
        return {s == s ? m : static_cast<T>(s), s}; // the maximum passes over NaN, the sum doesn't
    }
    static FS_INLINE void put(Group &group, std::size_t i, State state) {
        group.m[i] = state.m;
        group.s[i] = state.s;
    }

    /// Exact has a class for each number of vectors up to 64 elements, with and without a tail:
    /// longer rows gain nothing by classes of their own.
    template <int Vectors, class F>
    static void fold(const T *x, std::ptrdiff_t stride, std::size_t rows, std::size_t n,
                     const F &f) {
        if constexpr (Vectors * lanes > 64) {
            fold_rows<any_vectors, LastVector::partial>(x, stride, rows, n, f);
        } else {
            if (n > Vectors * lanes)
                return fold<Vectors + 1>(x, stride, rows, n, f);
            if (n % lanes)
                return fold_rows<Vectors, LastVector::partial>(x, stride, rows, n, f);
            fold_rows<Vectors, LastVector::whole>(x, stride, rows, n, f);
        }
    }
    template <int Vectors, LastVector Last, class F>
    static FS_INLINE void fold_rows(const T *x, std::ptrdiff_t stride, std::size_t rows,
                                    std::size_t n, const F &f) {
        constexpr std::size_t most = RowGroup<Variant, V, Vectors, Last>::most;
        for (std::size_t r = 0; r < rows; r += most) {
            Group group;
            take<Vectors, Last>(x, stride, r, rows, n, group);
            f(r, rows - r < most ? rows - r : most, group);
        }
    }
    // Not inlined, so that the operations share it
    template <int Vectors, LastVector Last>
    __attribute__((noinline)) static void take(const T *x, std::ptrdiff_t stride, std::size_t r,
                                               std::size_t rows, std::size_t n, Group &group) {
        using Rows = RowGroup<Variant, V, Vectors, Last>;
        const Rows together(x, stride, r, rows, n);
        typename Rows::Results results;
        together.take_maxima(results);
        together.weigh(results, [](std::size_t) { return [](V, std::size_t) {}; });
        alignas(64) T unit[Rows::most];
        for (std::size_t i = 0; i < together.count; i += lanes) {
            const V m = V::load(results.maximum + i), s = V::load(results.sum + i);
            UnitWeight<Weight, V>::at(m).store(unit + i);
            (m - (s - s)).store(group.m + i); // the maximum passes over NaN, the sum doesn't
        }
        for (std::size_t i = 0; i < together.count; ++i)
            group.s[i] = static_cast<double>(results.sum[i]) / static_cast<double>(unit[i]);
        for (std::size_t i = 0; i < together.count; ++i)
            if (__builtin_expect(!Rows::ordinary(results.maximum[i]), 0))
                put(group, i, of_row(x + static_cast<std::ptrdiff_t>(r + i) * stride, n));
    }

    // Not inlined: its scratch space would grow the stack frame of every call
    template <class F>
    __attribute__((noinline)) static void by_blocks(const T *x, std::ptrdiff_t stride,
                                                    std::size_t rows, std::size_t n, const F &f) {
        BlockState<T> states[most_blocks];
        const BlockStates<V> blocks(states, n);
        for (std::size_t r = 0; r < rows; ++r, x += stride) {
            RowTotal<T> total{};
            if (blocks.template weigh<Storing::nothing>(x, nullptr, 0, blocks.count(),
                                                        r + 1 < rows ? x + stride : x))
                total = blocks.merge();
            Group group;
            put(group, 0, total.good ? State{total.m, total.s} : of_row(x, n));
            f(r, 1, group);
        }
    }
};

} // namespace fastsoftmax
