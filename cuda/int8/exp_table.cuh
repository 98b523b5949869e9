// Softmax of int8 rows by a table of exp on a GPU: common/int8_exp_table.hpp has the formulas,
// int8/rows.cuh the passes.
//
// Each block builds the 256 weights once, from the factors, and keeps 32 copies of each in shared
// memory, one for each lane (16 KiB): whatever the 32 lanes of a warp look up, no more than two of
// them meet in a bank. An index, shifted to the copy of its lane, is one dot product of the four
// bytes m - x (a plain subtraction: no byte of m is below one of x). Weights are looked up once and
// stored, two in a register, between their sum and the results:
//
//   p = (e q + r 2^b) >> (b + k), which is ((e q >> b) + r) >> k
//
// Bound: the bits are those of the formulas. p never exceeds `full`, so nothing saturates. Edges: a
// row without elements that take part gives 0.
// Rejected: one copy of the table, 3 to 4 lanes to a bank at random; byte permutes, which find
// among 8 entries where a CPU's find among 64.
#pragma once
#include "cuda/api/int8.hpp"
#include "cuda/device/packed_bytes.cuh"

#include "common/int8_exp_table.hpp"

namespace fastsoftmax::cuda {

struct ExpTableParameters {
    ExpFactors factors;
    const ExpFactors *all;
    int bits;     ///< of an entry: 8 or 15
    int halvings; ///< of the sum: halvings_of(n, bits)
};

template <class Result> class ExpTableMethod {
    static constexpr int full = sizeof(Result) == 1 ? 255 : 32767;

  public:
    using Out = Result;
    using Parameters = ExpTableParameters;
    struct Weights {
        unsigned pair[2];
    };
    static constexpr int pieces = 4;

    /// Called by all 256 threads of a block.
    FS_DEVICE ExpTableMethod(const Parameters &p, unsigned group)
        : bits_(p.bits), halvings_(p.halvings) {
        FS_SHARED(unsigned, table, 256 * 16);
        __syncthreads(); // all have read the table of the group before
        const unsigned entry = 0x10001u * weight_of(p, group, threadIdx.x);
#pragma unroll
        for (int i = 0; i < 16; i += 4)
            *reinterpret_cast<uint4 *>(table + 16 * threadIdx.x + i) =
                make_uint4(entry, entry, entry, entry);
        __syncthreads();
        entries_ = reinterpret_cast<const unsigned char *>(table);
    }

    /// Of one row: q in 16 bits, the shift above it, and above that whether results are rounded.
    struct Scale {
        unsigned packed;
        FS_DEVICE Scale from_lane(int lane, int lanes) const {
            return {__shfl_sync(~0u, packed, lane, lanes)};
        }
    };
    FS_DEVICE Scale scale_of(unsigned total) const {
        const RowScale by =
            row_scale<15, full>(static_cast<std::int32_t>(total), halvings_ + 15 - bits_);
        return {static_cast<unsigned>(by.q) | static_cast<unsigned>(by.shift + bits_) << 16 |
                (by.round ? 1u << 24 : 0)};
    }

    class Row {
        const unsigned char *entries_ = nullptr;
        unsigned m_ = 0, lane_ = 0, q_ = 0, round_ = 0;
        int shift_ = 0;

      public:
        Row() = default;
        FS_DEVICE Row(const ExpTableMethod &method, unsigned m)
            : entries_(method.entries_), m_(four(m)), lane_(2 * (threadIdx.x % 32)) {}

        FS_DEVICE Weights weigh(unsigned x) const {
            const unsigned d = m_ - x;
            return {{entry(d, 64) | entry(d, 64u << 8) << 16,
                     entry(d, 64u << 16) | entry(d, 64u << 24) << 16}};
        }
        FS_DEVICE static unsigned add(unsigned sum, Weights e) {
            return plus_words(plus_words(sum, e.pair[0]), e.pair[1]);
        }
        /// Z, from the sum over all places, of which `others` are as if x were 0.
        FS_DEVICE unsigned total(const ExpTableMethod &method, unsigned, std::uint64_t sum,
                                 std::int64_t, std::int64_t others) const {
            sum -= static_cast<std::uint64_t>(others) * entry(m_, 64);
            return max(static_cast<unsigned>(halved(sum, method.halvings_)), 1u);
        }
        FS_DEVICE void scale_by(const Scale &scale, unsigned) {
            q_ = scale.packed & 0xffff;
            shift_ = static_cast<int>(scale.packed >> 16 & 255);
            round_ = scale.packed >> 24 ? 1u << shift_ >> 1 : 0;
        }
        /// Sixteen results in four or eight registers.
        FS_DEVICE void results(const Weights (&e)[4], unsigned *to) const {
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                const unsigned a = one(e[j].pair[0] & 0xffff), b = one(e[j].pair[0] >> 16);
                const unsigned c = one(e[j].pair[1] & 0xffff), d = one(e[j].pair[1] >> 16);
                if constexpr (sizeof(Out) == 1)
                    to[j] = bottom_bytes(a, b, c, d);
                else {
                    to[2 * j] = permuted(a, b, 0x5410);
                    to[2 * j + 1] = permuted(c, d, 0x5410);
                }
            }
        }

      private:
        /// Of the byte of d that the selector multiplies by 64.
        FS_DEVICE unsigned entry(unsigned d, unsigned selector) const {
            return *reinterpret_cast<const std::uint16_t *>(entries_ + __dp4a(d, selector, lane_));
        }
        FS_DEVICE unsigned one(unsigned e) const { return (e * q_ + round_) >> shift_; }
    };

  private:
    friend class Row;
    static FS_DEVICE unsigned weight_of(const Parameters &p, unsigned group, unsigned d) {
        int a = 0, b = 0;
        if (p.all) {
            a = p.all[group].A[d >> 4];
            b = p.all[group].B[d & 15];
        } else {
#pragma unroll
            for (unsigned i = 0; i < 16; ++i) { // kernel parameters have no address
                a = d >> 4 == i ? p.factors.A[i] : a;
                b = (d & 15) == i ? p.factors.B[i] : b;
            }
        }
        return static_cast<unsigned>(table_weight(a, b, p.bits));
    }

    int bits_, halvings_;
    const unsigned char *entries_ = nullptr;
};

} // namespace fastsoftmax::cuda
