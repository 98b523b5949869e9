// Rows of q, k or v as the Heinsen kernel wants them: a fixed number of tokens, whole blocks of
// columns. Most lie like that in the caller's arrays; others are copied first, so that no loop over
// them has to look for an end.
#pragma once
#include "kernels/heinsen/arguments.hpp"

namespace fastsoftmax {

template <class T> struct HeinsenRows {
    const T *at;
    std::size_t stride;
    FS_INLINE const T *operator[](std::size_t u) const { return at + u * stride; }
};

/// Elements from `at` on of an array of n; `fill` beyond its end.
template <class V>
FS_INLINE V load_filled(const typename V::scalar *from, std::size_t at, std::size_t n,
                        double fill) {
    return at + V::lanes <= n ? V::load(from + at)
           : at < n           ? V::load_n(from + at, n - at, static_cast<typename V::scalar>(fill))
                              : V::set(fill);
}

/// Columns `begin` to `begin` + `columns`, a number of whole blocks, of n rows of `width`, as
/// `tokens` rows: where they lie if that can be, else in `space`, with `fill` for what is missing.
template <class V>
FS_INLINE HeinsenRows<typename V::scalar>
whole_rows(const typename V::scalar *rows, std::size_t n, std::size_t width, std::size_t tokens,
           std::size_t begin, std::size_t columns, typename V::scalar *space, double fill) {
    using T = typename V::scalar;
    constexpr std::size_t lanes = V::lanes;
    if (__builtin_expect(n == tokens && begin + columns <= width, 1))
        return {rows + begin, width};
    for (std::size_t u = 0; u < tokens; ++u) {
        const T *row = rows + (u < n ? u : 0) * width;
        const std::size_t end = u < n ? width : 0;
        for (std::size_t c = 0, at = begin; c < columns; c += lanes, at += lanes) {
            load_filled<V>(row, at, end, fill).store(space + u * columns + c);
        }
    }
    return {space, columns};
}

} // namespace fastsoftmax
