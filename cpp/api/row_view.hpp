// One array seen along an axis, and the copies between such views.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <type_traits>

namespace fastsoftmax {

/// Where the first row starts, and how far apart rows and the elements of a row lie, in bytes.
template <class T> struct RowView {
    T *data;
    std::ptrdiff_t row, element;

    static constexpr std::ptrdiff_t size = sizeof(T);

    /// Whether kernels take it as it is: elements side by side, and everything aligned.
    bool direct(std::size_t rows, std::size_t n) const {
        return (element == size || n <= 1) && (row % size == 0 || rows <= 1) &&
               reinterpret_cast<std::uintptr_t>(data) % alignof(T) == 0;
    }
    std::ptrdiff_t stride() const { return row / size; }
    RowView moved(std::ptrdiff_t bytes) const {
        using Byte = std::conditional_t<std::is_const_v<T>, const char, char>;
        return {reinterpret_cast<T *>(reinterpret_cast<Byte *>(data) + bytes), row, element};
    }
    RowView from_row(std::size_t r) const { return moved(static_cast<std::ptrdiff_t>(r) * row); }
};

/// Copies rows x n elements. The shorter stride of `strided`, one of the two views, is walked
/// first, so that its cache lines are used whole. By memcpy, since elements may be misaligned.
template <class From, class To, class Strided>
void copy_rows(RowView<From> from, RowView<To> to, RowView<Strided> strided, std::size_t rows,
               std::size_t n) {
    const bool rows_inside = std::abs(strided.row) < std::abs(strided.element);
    const std::size_t outer = rows_inside ? n : rows, inner = rows_inside ? rows : n;
    const std::ptrdiff_t from_outer = rows_inside ? from.element : from.row;
    const std::ptrdiff_t from_inner = rows_inside ? from.row : from.element;
    const std::ptrdiff_t to_outer = rows_inside ? to.element : to.row;
    const std::ptrdiff_t to_inner = rows_inside ? to.row : to.element;
    for (std::size_t i = 0; i < outer; ++i) {
        const auto at = static_cast<std::ptrdiff_t>(i);
        const char *source = reinterpret_cast<const char *>(from.data) + at * from_outer;
        char *target = reinterpret_cast<char *>(to.data) + at * to_outer;
        for (std::size_t j = 0; j < inner; ++j, source += from_inner, target += to_inner)
            std::memcpy(target, source, sizeof(To));
    }
}

} // namespace fastsoftmax
