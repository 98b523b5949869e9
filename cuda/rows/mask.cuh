// Masks: boolean ones leave an element as it is or take it out; numbers are added to it, and take
// it out where they are at most `masked_at_most`. What is out is -inf, whatever it was: NaN too.
//
// The bytes of a boolean mask are gathered into one word, a bit an element.
#pragma once
#include "cuda/rows/elements.cuh"

namespace fastsoftmax::cuda {

template <int Elements, int Per>
FS_DEVICE unsigned unmasked_elements(const std::uint8_t *mask, std::int64_t step,
                                     const Places &at) {
    static_assert(Elements <= 32);
    unsigned unmasked = 0;
#pragma unroll
    for (int e = 0; e < Elements; ++e)
        if (const int i = at.number(e, Per); at.there(i))
            unmasked |= (mask[i * step] ? 1u : 0u) << e;
    return unmasked;
}

/// Masks this thread's elements, `Per` a vector. True if any of them is unmasked.
template <int Elements, int Per, class T>
FS_DEVICE bool mask_elements(const RowsArguments &a, const RowOffsets &row, const Places &at,
                             T *v) {
    if (a.mask_kind == Mask::keep) {
        const auto *const mask = static_cast<const std::uint8_t *>(a.mask) + row.mask;
        const unsigned unmasked = unmasked_elements<Elements, Per>(mask, a.mask_at.step, at);
#pragma unroll
        for (int e = 0; e < Elements; ++e)
            v[e] = unmasked >> e & 1 ? v[e] : -infinity<T>();
        return unmasked != 0;
    }
    const T *const mask = static_cast<const T *>(a.mask) + row.mask;
    const auto scale = static_cast<T>(a.scale), edge = static_cast<T>(a.masked_at_most);
    bool unmasked = false;
#pragma unroll
    for (int e = 0; e < Elements; ++e) {
        const int i = at.number(e, Per);
        const T added = at.there(i) ? mask[i * a.mask_at.step] : -infinity<T>();
        const bool out = added <= edge;
        v[e] = out ? -infinity<T>() : Lane<T>::fma({v[e]}, {scale}, {added}).v;
        unmasked |= !out;
    }
    return unmasked;
}

} // namespace fastsoftmax::cuda
