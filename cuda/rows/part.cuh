// One thread's part of a row, or of a stretch of one: Elements at a time into registers and back.
#pragma once
#include "cuda/device/group.cuh"
#include "cuda/rows/mask.cuh"

namespace fastsoftmax::cuda {

/// S is the type that x and y have, Masked whether rows may have a mask.
template <class S, int Elements, bool Masked> class RowPart {
    using T = typename ComputedOf<S>::type;
    const RowsArguments &a_;
    const RowOffsets at_;
    const Group &group_;
    const int count_;

    template <class E> FS_DEVICE const E *x() const { return static_cast<const E *>(a_.x) + at_.x; }
    template <class E> FS_DEVICE Places places(int turn) const {
        Places at(x<E>(), count_, group_.rank(), group_.size);
        at.first += turn * static_cast<int>(group_.size) * Elements;
        return at;
    }

  public:
    /// The first `count` elements from those on that `at` says.
    FS_DEVICE RowPart(const RowsArguments &a, const RowOffsets &at, const Group &group, int count)
        : a_(a), at_(at), group_(group), count_(count) {}

    /// How many turns the threads of a row take together.
    FS_DEVICE int turns() const {
        const int step = static_cast<int>(group_.size) * Elements;
        int head = 0;
        with_dtype<S>(a_.dtype, [&](auto *type) {
            head = Places::head(x<std::remove_pointer_t<decltype(type)>>());
        });
        return (count_ + head + step - 1) / step;
    }
    /// Fills v; true if any of it is unmasked.
    FS_DEVICE bool load(T *v, int turn = 0) const {
        bool unmasked = true;
        with_dtype<S>(a_.dtype, [&](auto *type) {
            using E = std::remove_pointer_t<decltype(type)>;
            const Places to = places<E>(turn);
            // what is added is scaled together with it
            const bool added = Masked && a_.mask_kind == Mask::add;
            load_elements<Elements>(x<E>(), to, added ? T(1) : static_cast<T>(a_.scale), v);
            if constexpr (Masked)
                if (a_.mask_kind != Mask::none)
                    unmasked = mask_elements<Elements, per_vector<E>>(a_, at_, to, v);
        });
        return unmasked;
    }
    FS_DEVICE void store(const T *v, int turn = 0) const {
        with_dtype<S>(a_.dtype, [&](auto *type) {
            using E = std::remove_pointer_t<decltype(type)>;
            E *const y = static_cast<E *>(a_.y) + at_.y;
            const bool aligned = Places::head(x<E>()) == Places::head(y);
            store_elements<Elements>(y, places<E>(turn), aligned, v);
        });
    }
};

} // namespace fastsoftmax::cuda
