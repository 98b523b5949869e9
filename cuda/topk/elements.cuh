// What a top-k row ranks: z = scale * x [+ mask], -inf where the mask takes an element out, NaN
// too.
#pragma once
#include "cuda/rows/mask.cuh"
#include "cuda/topk/call.cuh"

namespace fastsoftmax::cuda {

/// Which of the two is known when the kernel is compiled: most calls have neither scale nor mask.
template <class S, Ranked By> class TopkElements {
    using T = Computed<S>;
    const TopkArguments &a_;
    const S *x_;
    const TopkOffsets at_;
    const T edge_; ///< rounded once: a conversion in the loop costs nine registers

  public:
    FS_DEVICE TopkElements(const TopkArguments &a, std::int64_t row)
        : a_(a), x_(static_cast<const S *>(a.x)), at_(a, row),
          edge_(static_cast<T>(a.masked_at_most)) {
        x_ += at_.x;
    }

    FS_DEVICE const S *x() const { return x_; }
    /// z of element i, whose x has been read.
    FS_DEVICE T ranked(T x, int i) const {
        if constexpr (By == Ranked::plain)
            return x;
        const auto scale = static_cast<T>(a_.scale);
        if (a_.mask_kind == Mask::none)
            return x * scale;
        if (!unmasked(i))
            return -infinity<T>();
        if (a_.mask_kind == Mask::keep)
            return x * scale;
        return Lane<T>::fma({x}, {scale}, {added(i)}).v;
    }
    FS_DEVICE T operator[](int i) const { return ranked(T(widened_one(x_[i * a_.x_at.step])), i); }
    /// Whether element i is unmasked; there is a mask.
    FS_DEVICE bool unmasked(int i) const {
        if (a_.mask_kind == Mask::add)
            return !(added(i) <= edge_);
        return static_cast<const std::uint8_t *>(a_.mask)[at_.mask + i * a_.mask_at.step] != 0;
    }

  private:
    FS_DEVICE T added(int i) const {
        return static_cast<const T *>(a_.mask)[at_.mask + i * a_.mask_at.step];
    }
};

} // namespace fastsoftmax::cuda
