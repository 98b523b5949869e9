// Softmax of int8 rows that fill half a vector at most: rows.hpp with two rows in a vector,
// for which V offers half-vectors (PairsRows in vec/int8_concept.hpp).
//
// Rows i and i + 8 of a group of 16 share a vector, which is how the trees that reduce sixteen
// vectors hold them after their first step. Their distances are cached from the sums to the
// results.
//
// Bound: the bits are those of the formulas. Edges: lanes beyond a row are -128 for the maximum and
// left out of the sum; beyond the last row a group repeats it and writes nothing.
#pragma once
#include "kernels/int8/rows.hpp"

namespace fastsoftmax {

/// Reads what belongs to rows i and i + 8. Ordered: for words of bytes that went through ordered().
template <class V, bool Ordered> struct TwoRows {
    using Words = typename V::Words;
    std::size_t i;
    FS_INLINE Words words(const std::int32_t *of) const {
        return Words::template spread_two<Ordered>(of[i], of[i + 8]);
    }
    FS_INLINE Words count(const std::int32_t *of) const { return words(of); }
};

template <class Method, class V> class Int8Pairs {
    static constexpr std::size_t group = 64, block = 16, pairs = block / 2;
    using Sums = typename V::Sums;
    using Out = typename Method::Out;

  public:
    static void run(const Int8Arguments &a, const Method &method) {
        for (std::size_t r = 0; r < a.rows; r += group)
            Int8Pairs(a, method, r, a.rows - r < group ? a.rows - r : group).phases();
    }

  private:
    FS_INLINE Int8Pairs(const Int8Arguments &a, const Method &method, std::size_t first,
                        std::size_t rows)
        : method_(method), n_(a.n), y_stride_(a.y_stride), rows_(rows), half_(V::half_of(a.n)),
          y_(static_cast<Out *>(a.y) + static_cast<std::ptrdiff_t>(first) * a.y_stride),
          x_(a, first, rows) {}

    FS_INLINE void phases() {
        for (std::size_t b = 0; b < rows_; b += block)
            find_maxima(b);
        for (std::size_t b = 0; b < rows_; b += block)
            find_totals(b);
        for (std::size_t b = 0; b < rows_; b += block)
            method_.prepare(n_, total_ + b, nullptr, false, prepared_[b / block]);
        for (std::size_t b = 0; b < rows_; b += block)
            write(b, rows_ - b < block ? rows_ - b : block);
    }

    FS_INLINE void find_maxima(std::size_t b) {
        V v[pairs];
        for (std::size_t i = 0; i < pairs; ++i)
            d_[b / 2 + i] = v[i] = V::load_two(x_[b + i], x_[b + i + pairs], half_);
        V::maxima_of_two(v, maximum_ + b);
    }

    FS_INLINE void find_totals(std::size_t b) {
        constexpr bool partial = true;
        const V counted = V::first_of_two(half_);
        Sums sums[pairs];
        for (std::size_t i = 0; i < pairs; ++i) {
            V &d = d_[b / 2 + i];
            d = method_.clamp(V::spread_two(maximum_[b + i], maximum_[b + i + pairs]) - d);
            sums[i] = method_.template sum<partial>(V::no_sums(), method_.weights(d), counted);
        }
        V::totals_of_two(sums, total_ + b);
    }

    FS_INLINE void write(std::size_t b, std::size_t rows) const {
        constexpr bool words = sizeof(Out) == 2;
        const typename Method::Prepared &prepared = prepared_[b / block];
        // a copy: for all that the compiler knows, what is stored might be the member
        const auto half = half_;
        const std::ptrdiff_t stride = y_stride_, far = static_cast<std::ptrdiff_t>(pairs) * stride;
        const V *d = d_ + b / 2;
        Out *y = y_ + static_cast<std::ptrdiff_t>(b) * stride;
        for (std::size_t i = 0; i < pairs && i < rows; ++i, y += stride) {
            const auto scale = method_.scale(prepared, TwoRows<V, words>{i});
            const auto weights = method_.weights(words ? V::ordered(d[i]) : d[i]);
            const auto p = method_.normalise(method_.scaled(weights), scale);
            const auto result = bytes_or_words(p);
            result.store_first(y, half);
            if (i + pairs < rows)
                result.store_second(y + far, half);
        }
    }

    static FS_INLINE auto bytes_or_words(typename V::Words p) {
        if constexpr (sizeof(Out) == 2)
            return p;
        else
            return V::narrow(p);
    }

    const Method &method_;
    const std::size_t n_;
    const std::ptrdiff_t y_stride_;
    const std::size_t rows_;
    const typename V::Half half_;
    Out *const y_;
    const RowPointers<V, group> x_;
    alignas(64) std::int32_t maximum_[group], total_[group];
    typename Method::Prepared prepared_[group / block];
    V d_[group / 2];
};

} // namespace fastsoftmax
