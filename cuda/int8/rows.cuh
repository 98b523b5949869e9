// Softmax of int8 rows whose weights are a function of m - x, in registers: up to 2048 elements.
//
// A row has 1 to 32 lanes of a warp, and each lane sixteen neighbouring elements of it at a time. A
// thread holds several such pieces, of one row or more, to have several loads under way and to
// share the cost of a step among rows. x is read once and y written once, by vectors of 16 bytes
// where rows are aligned to that and have neither rest nor mask (`Bulk`). Bytes are processed four
// at a time (packed_bytes.cuh). Lanes meet in two butterflies: maximum and sum. The quotient of a
// row is found by one of its lanes, several rows at once, and handed to the others.
//
// Places that are masked, beyond the end or of no row are as if x were the least number, 0 (128 is
// added to logits): no lane of a butterfly is missing. The method takes their weights off the sum
// again, and results there are cleared or not stored.
//
// Method: Row(m).weigh(four logits), add() for their sum, total(), scale_of(total),
// results(weights).
#pragma once
#include "cuda/int8/tile.cuh"

namespace fastsoftmax::cuda {

template <class Method, int Vectors, bool Bulk> class Int8Tile {
  public:
    static constexpr int pieces = Bulk ? Method::pieces : Method::pieces / 2;
    static constexpr int rows = pieces > Vectors ? pieces / Vectors : 1;
    static_assert(rows == 1 || rows == 2 || rows == 4 || rows == 8);

  private:
    using Row = typename Method::Row;
    using Weights = typename Method::Weights;

    const Int8Call &call_;
    const Method &method_;

  public:
    FS_DEVICE Int8Tile(const Int8Call &call, const Method &method) : call_(call), method_(method) {}

    FS_DEVICE void run(unsigned section, unsigned tile) const {
        const Int8Places<typename Method::Out, rows, Bulk> places(call_, section, tile);
        ByteVector x[rows][Vectors], unmasked[Bulk ? 1 : rows][Vectors];
        unsigned m[rows], sum[rows], used[rows];
#pragma unroll
        for (int r = 0; r < rows; ++r)
#pragma unroll
            for (int c = 0; c < Vectors; ++c)
                places.load(r, c, x[r][c], unmasked[Bulk ? 0 : r][c]);
        find_maxima(x, m);
        Weights weights[rows][Vectors][4];
        weigh(x, m, weights, sum);
        count<!Bulk>(unmasked, used);
        Row row[rows] = {};
        scale(m, sum, used, row);
#pragma unroll
        for (int r = 0; r < rows; ++r)
#pragma unroll
            for (int c = 0; c < Vectors; ++c)
                if (places.has(r, c))
                    store(places, r, c, row[r], weights[r][c], unmasked[Bulk ? 0 : r][c]);
    }

  private:
    FS_DEVICE void find_maxima(const ByteVector (&x)[rows][Vectors], unsigned (&m)[rows]) const {
#pragma unroll
        for (int r = 0; r < rows; ++r) {
            LargestByte largest;
#pragma unroll
            for (int i = 0; i < 4 * Vectors; ++i)
                largest.add(x[r][i / 4].word[i % 4]);
            m[r] = largest.value();
        }
        butterfly(call_.lanes, m, [](unsigned a, unsigned b) { return max(a, b); });
    }
    FS_DEVICE void weigh(const ByteVector (&x)[rows][Vectors], const unsigned (&m)[rows],
                         Weights (&weights)[rows][Vectors][4], unsigned (&sum)[rows]) const {
#pragma unroll
        for (int r = 0; r < rows; ++r) {
            const Row row(method_, m[r]);
            sum[r] = 0;
#pragma unroll
            for (int i = 0; i < 4 * Vectors; ++i) {
                weights[r][i / 4][i % 4] = row.weigh(x[r][i / 4].word[i % 4]);
                sum[r] = Row::add(sum[r], weights[r][i / 4][i % 4]);
            }
        }
        butterfly(call_.lanes, sum, [](unsigned a, unsigned b) { return a + b; });
    }
    /// How many elements take part.
    template <bool Masked, class Unmasked>
    FS_DEVICE void count(const Unmasked &unmasked, unsigned (&used)[rows]) const {
#pragma unroll
        for (int r = 0; r < rows; ++r) {
            used[r] = Masked ? 0 : static_cast<unsigned>(call_.a.n);
            if constexpr (Masked)
#pragma unroll
                for (int i = 0; i < 4 * Vectors; ++i)
                    used[r] = plus_bytes(used[r], unmasked[r][i / 4].word[i % 4] & four(1));
        }
        if constexpr (Masked)
            butterfly(call_.lanes, used, [](unsigned a, unsigned b) { return a + b; });
    }
    FS_DEVICE void scale(const unsigned (&m)[rows], const unsigned (&sum)[rows],
                         const unsigned (&used)[rows], Row (&row)[rows]) const {
        const unsigned all = 16 * Vectors * call_.lanes, rank = threadIdx.x & (call_.lanes - 1);
        unsigned total[rows];
#pragma unroll
        for (int r = 0; r < rows; ++r) {
            row[r] = Row(method_, m[r]);
            total[r] = row[r].total(method_, m[r], sum[r], used[r], all - used[r]);
        }
        typename Method::Scale by[rows] = {};
        for (unsigned first = 0; first < rows; first += call_.lanes) {
            const unsigned mine = chosen<rows>(total, first + rank);
            const auto found = method_.scale_of(mine);
#pragma unroll
            for (int r = 0; r < rows; ++r) {
                const int from = r - static_cast<int>(first);
                const auto handed = found.from_lane(from, static_cast<int>(call_.lanes));
                by[r] = from >= 0 ? handed : by[r]; // those of an earlier turn have theirs
            }
        }
#pragma unroll
        for (int r = 0; r < rows; ++r)
            row[r].scale_by(by[r], total[r]);
    }
    template <class Places>
    FS_DEVICE void store(const Places &places, int r, int c, const Row &row,
                         const Weights (&weights)[4], const ByteVector &unmasked) const {
        constexpr int words = result_words<Method>;
        unsigned results[4 * words];
        row.results(weights, results);
        if constexpr (!Bulk)
#pragma unroll
            for (int j = 0; j < 4; ++j)
                clear_masked<Method>(unmasked.word[j], results + words * j);
        places.store(r, c, results);
    }
};

template <class Method, int Vectors, bool Bulk>
__global__ void __launch_bounds__(int8_threads, 2)
    int8_rows(const Int8Call call, const typename Method::Parameters parameters) {
    using Tile = Int8Tile<Method, Vectors, Bulk>;
    const unsigned rows = Tile::rows * int8_threads / call.lanes;
    for (unsigned s = blockIdx.y; s < call.sections; s += gridDim.y) {
        const Method method(parameters, s % static_cast<unsigned>(call.a.groups));
        for (unsigned t = blockIdx.x; t * rows < call.rows; t += gridDim.x)
            Tile(call, method).run(s, t);
    }
}

} // namespace fastsoftmax::cuda
