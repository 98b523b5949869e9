// The rows that a thread works on, and its places in them: see int8/rows.cuh.
#pragma once
#include "cuda/device/load_bytes.cuh"
#include "cuda/device/packed_bytes.cuh"
#include "cuda/int8/call.cuh"

namespace fastsoftmax::cuda {

/// Registers of results for four elements.
template <class Method>
inline constexpr int result_words = static_cast<int>(sizeof(typename Method::Out));

/// Clears the results of four elements where `unmasked` is 0.
template <class Method> FS_DEVICE void clear_masked(unsigned unmasked, unsigned *results) {
    if constexpr (result_words<Method> == 1)
        results[0] &= unmasked;
    else {
        results[0] &= permuted(unmasked, 0, 0x1100);
        results[1] &= permuted(unmasked, 0, 0x3322);
    }
}

/// Logits as unsigned bytes.
FS_DEVICE void add_128(ByteVector &x) {
#pragma unroll
    for (int j = 0; j < 4; ++j)
        x.word[j] = bitwise<0x3c>(x.word[j], four(128), 0);
}
/// Logits as unsigned bytes and which of them take part: those that don't are the least one. No
/// mask: nullptr.
FS_DEVICE void load_unmasked(const std::int8_t *from, const std::uint8_t *mask, std::int64_t count,
                             ByteVector &x, ByteVector &unmasked) {
    x = load_up_to(from, count, 128);
    unmasked = mask ? load_up_to(mask, count, 0) : first_bytes(count);
    add_128(x);
#pragma unroll
    for (int j = 0; j < 4; ++j) {
        unmasked.word[j] = nonzero_masks(unmasked.word[j]);
        x.word[j] &= unmasked.word[j];
    }
}

/// f over the lanes of each row, for `Rows` of them.
template <int Rows, class F>
FS_DEVICE void butterfly(unsigned lanes, unsigned (&value)[Rows], const F &f) {
    for (unsigned distance = lanes / 2; distance; distance /= 2)
#pragma unroll
        for (int r = 0; r < Rows; ++r)
            value[r] = f(value[r], __shfl_xor_sync(~0u, value[r], static_cast<int>(distance)));
}
/// value[i % N], without an array in memory.
template <int N> FS_DEVICE unsigned chosen(const unsigned *value, unsigned i) {
    if constexpr (N == 1)
        return *value;
    else {
        const unsigned low = chosen<N / 2>(value, i), high = chosen<N / 2>(value + N / 2, i);
        return i & (N / 2) ? high : low;
    }
}

/// Every `step`th row of a section; a thread's pieces of a row lie 16 * lanes elements apart.
template <class Out, int Rows, bool Bulk> class Int8Places {
    const Int8Call &call_;
    const unsigned first_, step_; ///< element of this thread, rows between its rows
    unsigned row_;
    int rows_remaining_; ///< of the section
    const std::int8_t *x_ = nullptr;
    Out *y_ = nullptr;
    int x_step_ = 0, y_step_ = 0;

  public:
    FS_DEVICE Int8Places(const Int8Call &call, unsigned section, unsigned tile)
        : call_(call), first_(16 * (threadIdx.x & (call.lanes - 1))),
          step_(int8_threads / call.lanes) {
        const unsigned row = tile * (Rows * step_) + threadIdx.x / call.lanes;
        rows_remaining_ = static_cast<int>(call.rows - row);
        row_ = section * call.rows + row;
        if constexpr (Bulk) {
            x_step_ = static_cast<int>(step_) * static_cast<int>(call.a.x_at.outer[0]);
            y_step_ = static_cast<int>(step_) * static_cast<int>(call.a.y_at.outer[0]);
            x_ = call.a.x + row_ * call.a.x_at.outer[0] + first_;
            y_ = static_cast<Out *>(call.a.y) + row_ * call.a.y_at.outer[0] + first_;
        }
    }
    FS_DEVICE bool has(int r, int c) const {
        return r * static_cast<int>(step_) < rows_remaining_ && remaining(c) > 0;
    }

    /// `unmasked` is only set where rows may be anything.
    FS_DEVICE void load(int r, int c, ByteVector &x, ByteVector &unmasked) const {
        if constexpr (Bulk) {
            x = {{four(128), four(128), four(128), four(128)}};
            if (has(r, c))
                x = load_vector(x_ + r * x_step_ + at(c));
            return add_128(x);
        }
        x = unmasked = {};
        if (!has(r, c))
            return;
        const Int8Offsets offsets(call_.a, row_ + r * step_);
        const unsigned element = first_ + at(c);
        const std::uint8_t *mask = call_.a.mask;
        load_unmasked(call_.a.x + offsets.x + element,
                      mask ? mask + offsets.mask + element : nullptr, remaining(c), x, unmasked);
    }
    template <int N> FS_DEVICE void store(int r, int c, const unsigned (&results)[N]) const {
        if constexpr (Bulk)
            store_vectors(y_ + r * y_step_ + at(c), results);
        else {
            const Int8Offsets offsets(call_.a, row_ + r * step_);
            store_up_to(static_cast<Out *>(call_.a.y) + offsets.y + first_ + at(c), remaining(c),
                        results);
        }
    }

  private:
    FS_DEVICE unsigned at(int c) const { return 16 * static_cast<unsigned>(c) * call_.lanes; }
    FS_DEVICE int remaining(int c) const {
        return static_cast<int>(call_.a.n) - static_cast<int>(first_ + at(c));
    }
};

} // namespace fastsoftmax::cuda
