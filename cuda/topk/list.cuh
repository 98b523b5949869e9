// The k largest elements that a warp has met, k <= 64, in descending order; of equal ones the
// earlier first.
//
// Lane i holds ranks i and 32 + i. Nearly all elements lie below the k-th, and one vote of the warp
// tells so; for one that doesn't, all lanes count the ranks before it and move the others on: about
// 20 instructions, and only k log(n / k) times in random rows. A place that is still free holds
// -inf and no index: every element but NaN beats it.
#pragma once
#include "cuda/device/lane.cuh"

namespace fastsoftmax::cuda {

inline constexpr int no_place = 0x7fffffff;

template <class T> struct Placed {
    T value;
    int place;

    FS_DEVICE bool beats(const Placed &other) const {
        return value > other.value || (value == other.value && place < other.place);
    }
    FS_DEVICE Placed from(int lane) const {
        return {__shfl_sync(~0u, value, lane), __shfl_sync(~0u, place, lane)};
    }
    FS_DEVICE Placed from_below() const {
        return {__shfl_up_sync(~0u, value, 1), __shfl_up_sync(~0u, place, 1)};
    }
};

/// yes ? a : b, of values: a choice between variables would put them into memory.
template <class T> FS_DEVICE Placed<T> chosen(bool yes, Placed<T> a, Placed<T> b) {
    return {yes ? a.value : b.value, yes ? a.place : b.place};
}

/// All lanes of a warp call its functions together.
template <class T> class TopList {
    const int k_, lane_ = threadIdx.x % 32;
    Placed<T> low_{-infinity<T>(), no_place}, high_{low_}; ///< ranks lane, 32 + lane
    Placed<T> last_{low_};                                 ///< rank k - 1

  public:
    explicit FS_DEVICE TopList(int k) : k_(k) {}

    /// One element of each lane; of lanes without one, no_place.
    FS_DEVICE void add(Placed<T> mine) {
        unsigned better = __ballot_sync(~0u, mine.beats(last_));
        for (; better; better &= better - 1)
            insert(mine.from(__ffs(static_cast<int>(better)) - 1));
    }
    /// An element that all lanes know; whether it is among the k largest.
    FS_DEVICE bool insert(const Placed<T> &x) {
        if (!x.beats(last_)) // which may have risen since
            return false;
        const unsigned before = __ballot_sync(~0u, low_.beats(x));
        const unsigned before_high = k_ > 32 ? __ballot_sync(~0u, high_.beats(x)) : 0;
        const int rank = __popc(before) + __popc(before_high);
        const Placed<T> moved = low_.from_below();
        if (k_ > 32) {
            const Placed<T> last_low = low_.from(31), moved_high = high_.from_below();
            const Placed<T> next = chosen(lane_ == 0, last_low, moved_high);
            high_ = chosen(32 + lane_ < rank, high_, chosen(32 + lane_ == rank, x, next));
        }
        low_ = chosen(lane_ < rank, low_, chosen(lane_ == rank, x, moved));
        last_ = chosen(k_ > 32, high_, low_).from((k_ - 1) % 32);
        return true;
    }
    /// f(rank, element) of those that this lane holds.
    template <class F> FS_DEVICE void each(const F &f) const {
        if (lane_ < k_)
            f(lane_, low_);
        if (32 + lane_ < k_)
            f(32 + lane_, high_);
    }
    FS_DEVICE bool has_free() const { return last_.place == no_place; }

    /// Gives free places to NaN, in order.
    template <class F> FS_DEVICE void fill(int n, const F &element) {
        int used = 0;
        each([&](int, const Placed<T> &e) { used += e.place != no_place; });
        for (int distance = 16; distance; distance /= 2)
            used += __shfl_xor_sync(~0u, used, distance);
        for (int first = 0; first < n && used < k_; first += 32) {
            const int i = first + lane_;
            const T x = i < n ? element(i) : T(0);
            unsigned which = __ballot_sync(~0u, x != x);
            for (; which && used < k_; which &= which - 1, ++used) {
                const Placed<T> found{not_a_number<T>(),
                                      first + __ffs(static_cast<int>(which)) - 1};
                low_ = chosen(lane_ == used, found, low_);
                high_ = chosen(32 + lane_ == used, found, high_);
            }
        }
    }
};

} // namespace fastsoftmax::cuda
