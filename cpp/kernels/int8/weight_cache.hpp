// Weights of int8 rows, cached from the sums to the results where computing them costs more than a
// store and a load: products of two looked-up factors, not what one permute looks up, nor a
// distance that stands for its weight.
//
// Rows of few vectors have room beside the group. Longer ones have them at the end of their row of
// results, which are written from the front; results that are smaller than weights have no such
// room. There the row's last vector, if it overlaps the one before, would meet results: its weights
// are computed again.
#pragma once
#include "kernels/int8/vectors.hpp"
#include "vec/int8_concept.hpp"

namespace fastsoftmax {

/// Chunks, Masked: as in RowVectors. Group: rows.
template <class Method, class V, int Chunks, bool Masked, std::size_t Group> class WeightCache {
    using Weights = typename Method::Weights;
    using Cached = typename Method::Cached;
    using Out = typename Method::Out;
    using Whole = typename RowVectors<V, Chunks, Masked>::Whole;
    static constexpr bool beside = Chunks >= 0;

  public:
    static constexpr bool any =
        Method::caches && V::lanes > 1 && (beside || sizeof(Cached) <= sizeof(Out));
    /// Whether those of a vector of this kind are.
    template <class Kind> static constexpr bool of = any && (beside || std::is_same_v<Kind, Whole>);

    /// Row i of the group, from element `at` of n; y is the row's results.
    FS_INLINE void put(Weights w, std::size_t i, std::size_t at, Out *y, std::size_t n) {
        w.store(place(i, at, y, n));
    }
    FS_INLINE Weights get(std::size_t i, std::size_t at, Out *y, std::size_t n) {
        return load(place(i, at, y, n));
    }

  private:
    static constexpr std::size_t vectors = Chunks + 1; // of a short row, at most

    FS_INLINE Cached *place(std::size_t i, std::size_t at, Out *y, std::size_t n) {
        if constexpr (beside)
            return room_ + (i * vectors + (at + V::lanes - 1) / V::lanes) * V::lanes;
        else
            return reinterpret_cast<Cached *>(y + n) - n + at;
    }
    // not as elements of an array of Weights: GCC copies a pair of vectors by words
    static FS_INLINE V load(const std::uint8_t *from) {
        return V::load(reinterpret_cast<const std::int8_t *>(from));
    }
    static FS_INLINE typename V::Words load(const std::int16_t *from) {
        return V::Words::load(from);
    }

    alignas(64) Cached room_[any && beside ? Group * vectors * V::lanes : 1];
};

} // namespace fastsoftmax
