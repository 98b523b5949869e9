// Softmax of int8 rows of any length, a block of threads for each: int8/rows.cuh has the passes.
//
// A row is read three times, of which two come from the L1 or L2 cache (a row of 64K bytes fits
// L1); sums run in 64 bits.
#pragma once
#include "cuda/device/group.cuh"
#include "cuda/int8/rows.cuh"

namespace fastsoftmax::cuda {

template <class Method> class Int8LongRow {
    using Row = typename Method::Row;
    using Out = typename Method::Out;

    const Group group{int8_threads};
    const std::int64_t n_;
    const std::int8_t *x_;
    const std::uint8_t *mask_;
    Out *y_;

  public:
    FS_DEVICE Int8LongRow(const Int8Arguments &a, const Int8Offsets &at)
        : n_(a.n), x_(a.x + at.x), mask_(a.mask ? a.mask + at.mask : nullptr),
          y_(static_cast<Out *>(a.y) + at.y) {}

    FS_DEVICE void run(const Method &method) const {
        LargestByte largest;
        each([&](std::int64_t, const ByteVector &x, const ByteVector &) {
#pragma unroll
            for (int j = 0; j < 4; ++j)
                largest.add(x.word[j]);
        });
        const unsigned m =
            group.reduce<0>(largest.value(), 0u, [](unsigned a, unsigned b) { return max(a, b); });
        Row row(method, m);
        std::uint64_t sum = 0, count = 0, places = 0;
        each([&](std::int64_t, const ByteVector &x, const ByteVector &unmasked) {
            unsigned part = 0, taking = 0;
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                part = Row::add(part, row.weigh(x.word[j]));
                taking = plus_bytes(taking, unmasked.word[j] & four(1));
            }
            sum += part;
            count += taking;
            places += 16;
        });
        const auto plus = [](std::uint64_t a, std::uint64_t b) { return a + b; };
        sum = group.reduce<1>(sum, std::uint64_t{0}, plus);
        places = group.reduce<2>(places, std::uint64_t{0}, plus);
        count = group.reduce<3>(count, std::uint64_t{0}, plus);
        const unsigned total = row.total(method, m, sum, static_cast<std::int64_t>(count),
                                         static_cast<std::int64_t>(places - count));
        row.scale_by(method.scale_of(total), total);
        write(row);
    }

  private:
    /// f(where, x, unmasked) of all pieces that this thread has.
    template <class F> FS_DEVICE void each(const F &f) const {
        for (std::int64_t at = 16 * group.rank(); at < n_; at += 16 * int8_threads) {
            ByteVector x, unmasked;
            load_unmasked(x_ + at, mask_ ? mask_ + at : nullptr, n_ - at, x, unmasked);
            f(at, x, unmasked);
        }
    }
    FS_DEVICE void write(const Row &row) const {
        each([&](std::int64_t at, const ByteVector &x, const ByteVector &unmasked) {
            constexpr int words = result_words<Method>;
            unsigned results[4 * words];
            typename Method::Weights weights[4];
#pragma unroll
            for (int j = 0; j < 4; ++j)
                weights[j] = row.weigh(x.word[j]);
            row.results(weights, results);
#pragma unroll
            for (int j = 0; j < 4; ++j)
                clear_masked<Method>(unmasked.word[j], results + words * j);
            store_up_to(y_ + at, n_ - at, results);
        });
    }
};

template <class Method>
__global__ void __launch_bounds__(int8_threads, 4)
    int8_long_rows(const Int8Call call, const typename Method::Parameters parameters) {
    for (unsigned s = blockIdx.y; s < call.sections; s += gridDim.y) {
        const Method method(parameters, s % static_cast<unsigned>(call.a.groups));
        for (unsigned r = blockIdx.x; r < call.rows; r += gridDim.x)
            Int8LongRow<Method>(call.a, Int8Offsets(call.a, s * call.rows + r)).run(method);
    }
}

} // namespace fastsoftmax::cuda
