// The rows that every kernel is run on: sizes around each lane width, ordinary and nasty data.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace check {

/// Some rows of one kind of data. They lie one element off the vector's start, with gaps between
/// them, so that kernels meet odd alignment and strides.
template <class T> struct Case {
    std::string name;
    std::size_t rows = 0, n = 0;
    std::ptrdiff_t stride = 0;
    std::vector<T> storage;

    static constexpr std::size_t lead = 1, gap = 3;

    const T *row(std::size_t r) const {
        return storage.data() + lead + static_cast<std::ptrdiff_t>(r) * stride;
    }
    T *row(std::size_t r) { return const_cast<T *>(static_cast<const Case *>(this)->row(r)); }
};

/// All sizes up to a few thousand with each kind of data, and a few long rows; `brief`: fewer rows
/// of each and no long ones, for emulators.
template <class T> std::vector<Case<T>> ordinary_cases(bool brief);

/// A poisoned or a lone element at every position of small rows.
template <class T> std::vector<Case<T>> positional_cases(bool brief);

/// Single rows of 400,003 elements of every kind and of 2^24 of some; a batch beyond any cache.
template <class T> std::vector<Case<T>> long_cases();

} // namespace check
