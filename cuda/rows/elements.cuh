// The elements of a row that one thread holds in registers: read, written.
//
// A row's threads take vectors of 16 bytes in turn. Vectors lie where memory is aligned to 16, so
// the first and the last one of a row may be parts, and go element by element. Elements that aren't
// there are -inf, which weighs nothing.
#pragma once
#include "cuda/rows/call.cuh"

namespace fastsoftmax::cuda {

/// Element j of this thread's vector c is number first + c * turn + j of the row.
struct Places {
    int n, first, turn;

    template <class S>
    FS_DEVICE Places(const S *x, std::int64_t count, unsigned rank, unsigned threads)
        : n(static_cast<int>(count)) {
        constexpr int per = per_vector<S>;
        turn = static_cast<int>(threads) * per;
        first = static_cast<int>(rank) * per - head(x);
    }
    FS_DEVICE int number(int e, int per) const { return first + e / per * turn + e % per; }
    /// Of vector c, whose first element is number i: only the first one may begin before the row.
    FS_DEVICE bool whole(int c, int i, int count) const {
        return (c > 0 || i >= 0) && i + count <= n;
    }
    FS_DEVICE bool there(int i) const {
        return static_cast<unsigned>(i) < static_cast<unsigned>(n);
    }
    /// Elements between an aligned address and p.
    template <class S> static FS_DEVICE int head(const S *p) {
        return static_cast<int>(reinterpret_cast<std::uintptr_t>(p) % 16 / sizeof(S));
    }
};

/// v = scale * x.
template <int Elements, class S, class T>
FS_DEVICE void load_elements(const S *x, const Places &at, T scale, T *v) {
    constexpr int per = per_vector<S>;
    static_assert(Elements % per == 0);
#pragma unroll
    for (int c = 0; c < Elements / per; ++c) {
        const int i = at.first + c * at.turn;
        T *const to = v + c * per;
        if (at.whole(c, i, per)) {
            load_vector(x + i, to);
#pragma unroll
            for (int j = 0; j < per; ++j)
                to[j] *= scale;
        } else {
#pragma unroll
            for (int j = 0; j < per; ++j)
                to[j] = at.there(i + j) ? widened_one(x[i + j]) * scale : -infinity<T>();
        }
    }
}

/// y = v. Whole vectors where y is aligned as x is.
template <int Elements, class S, class T>
FS_DEVICE void store_elements(S *y, const Places &at, bool aligned, const T *v) {
    constexpr int per = per_vector<S>;
#pragma unroll
    for (int c = 0; c < Elements / per; ++c) {
        const int i = at.first + c * at.turn;
        const T *const from = v + c * per;
        if (aligned && at.whole(c, i, per)) {
            store_vector(y + i, from);
        } else {
#pragma unroll
            for (int j = 0; j < per; ++j)
                if (at.there(i + j))
                    narrow_one(from[j], y[i + j]);
        }
    }
}

} // namespace fastsoftmax::cuda
