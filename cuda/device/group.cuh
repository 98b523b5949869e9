// The threads that share a row, and what they do together.
//
// A row has `size` threads, a power of two: lanes of one warp (several rows a warp where it is
// below 32), or a whole block. All reductions are butterflies, in the same order for every thread
// and every run, so all threads of a row get the same bits. They are called by all threads of the
// block, whatever their rows need.
#pragma once
#include "cuda/device/compat.cuh"

#include "common/compensated_sum.hpp"

namespace fastsoftmax::cuda {

inline constexpr unsigned all_lanes = 0xffffffffu;

template <class T> FS_DEVICE T from_lane(T value, unsigned distance) {
    return __shfl_xor_sync(all_lanes, value, static_cast<int>(distance));
}
template <class V>
FS_DEVICE CompensatedLanes<V> from_lane(const CompensatedLanes<V> &sum, unsigned distance) {
    return {V{from_lane(sum.total.v, distance)}, V{from_lane(sum.lost.v, distance)}};
}

struct Group {
    unsigned size;

    FS_DEVICE unsigned rank() const { return threadIdx.x & (size - 1); }
    /// Number of this group among those of its block.
    FS_DEVICE unsigned number() const { return threadIdx.x / size; }

    /// f over the values of the row's threads. Calls with different Use may follow each other at
    /// once; they have scratch space of their own.
    template <int Use, class T, class F> FS_DEVICE T reduce(T value, T neutral, const F &f) const {
        value = within_warp(value, size < 32 ? size : 32, f);
        if (size <= 32)
            return value;
        FS_SHARED(Slot<T>, of_warps, 32);
        const unsigned lane = threadIdx.x % 32;
        if (lane == 0)
            of_warps[threadIdx.x / 32].value = value;
        __syncthreads();
        value = lane < size / 32 ? of_warps[lane].value : neutral;
        return within_warp(value, 32, f);
    }
    /// Whether it holds for any thread of the warp, or of the block where a row has one: the same
    /// for all that reduce together.
    FS_DEVICE bool anywhere(bool value) const {
        return size <= 32 ? __any_sync(all_lanes, value) : __syncthreads_or(value);
    }

  private:
    /// Shared memory runs no constructors.
    template <class T> struct Slot {
        union {
            T value;
        };
        FS_DEVICE Slot() {}
    };

    template <class T, class F>
    static FS_DEVICE T within_warp(T value, unsigned width, const F &f) {
        for (unsigned distance = width / 2; distance; distance /= 2)
            value = f(value, from_lane(value, distance));
        return value;
    }
};

/// The sum of two compensated sums.
template <class V>
FS_DEVICE CompensatedLanes<V> merged(const CompensatedLanes<V> &a, const CompensatedLanes<V> &b) {
    CompensatedLanes<V> sum = a;
    sum.add(b.total);
    sum.lost = sum.lost + b.lost;
    return sum;
}

} // namespace fastsoftmax::cuda
