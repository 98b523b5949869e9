// HCCS on a GPU: common/hccs.hpp has the formulas, int8/rows.cuh the passes.
//
// Logits are unsigned bytes x (128 added), m their maximum. Four are clamped at once, from below:
//
//   c = max(x, max(m - Dmax, 0))     s = (B - S m) + S c     Z = count (B - S m) + S sum(c)
//
// all modulo 2^32, which loses nothing: s and Z are within 31 bits. Results:
//   i16   s q fits 16 bits, so one product serves two elements
//   i8    2 s q has the result in its third byte (`clb` limits s first, to the last s whose result
//         is below 256; steps of results are at most 1 there); where 2 S q is below 2^16 a dot
//         product of two does without extracting c
//   wide  p = (umulhi(s << 16, R) + 2^(h - 1)) >> h, h = ceil(log2 Z),
//         R = floor(full 2^(16 + h) / Z) + 1
// The last is exact: R is too large by at most 1, so by less than 2^15 / 2^(16 + h) <= 1 / 2Z in p,
// and p's fractions are multiples of 1 / 2Z.
//
// Cost on sm_90, instructions an element in rows of 128 or more: i16 6.1, i8+div 6.6, i8+clb 8.5,
// wide 9.8. Bound: the bits of the formulas. Edges: a row of which nothing takes part gives 0.
// Rejected: min(m - x, Dmax), one instruction more; a float and an exact remainder for `wide`, as
// on the CPU, eight instructions where this takes five.
#pragma once
#include "cuda/device/packed_bytes.cuh"
#include "cuda/int8/hccs_quotient.cuh"

namespace fastsoftmax::cuda {

struct HccsParameters {
    HccsHead head;
    const HccsHead *heads;
    HccsMode mode;
};

/// Limits: whether results may have to be cut to the largest that fits.
template <HccsScaling scaling, bool Limits, class Result> class HccsMethod {
    static constexpr unsigned full = sizeof(Result) == 1 ? 255 : 32767;

  public:
    using Out = Result;
    using Parameters = HccsParameters;
    using Weights = unsigned; ///< four clamped logits
    static constexpr int pieces = 8;

    FS_DEVICE HccsMethod(const Parameters &p, unsigned group)
        : mode_(p.mode), head_(p.heads ? p.heads[group] : p.head) {}

    using Scale = HccsScale<scaling, Limits>;
    FS_DEVICE Scale scale_of(unsigned total) const { return Scale::of(mode_, full, total); }

    class Row { // whose maximum is known
        RaisedBytes clamp_{0};
        unsigned base_ = 0, slope_ = 0, limit_ = 0, factor_ = 0;
        int shift_ = 0;

      public:
        Row() = default;
        FS_DEVICE Row(const HccsMethod &method, unsigned m)
            : clamp_(lowest(method, m)), base_(static_cast<unsigned>(method.head_.B) -
                                               static_cast<unsigned>(method.head_.S) * m),
              slope_(static_cast<unsigned>(method.head_.S)) {}

        FS_DEVICE Weights weigh(unsigned x) const { return clamp_(x); }
        FS_DEVICE static unsigned add(unsigned sum, Weights c) { return plus_bytes(sum, c); }

        /// Z, from the sum over all places: `count` take part, `others` are as if x were 0.
        FS_DEVICE unsigned total(const HccsMethod &method, unsigned m, std::uint64_t sum,
                                 std::int64_t count, std::int64_t others) const {
            const unsigned c =
                static_cast<unsigned>(sum) - static_cast<unsigned>(others) * lowest(method, m);
            const unsigned z = static_cast<unsigned>(count) * base_ + slope_ * c;
            return max(z, 1u);
        }
        FS_DEVICE void scale_by(const Scale &scale, unsigned total) {
            factor_ = scale.factor;
            limit_ = scale.limit;
            if constexpr (scaling == HccsScaling::nearest) {
                shift_ = ceil_log2(total);
                limit_ = 1u << shift_ >> 1;
                base_ = opaque(base_ << 16);
                slope_ = opaque(slope_ << 16);
            } else if constexpr (scaling == HccsScaling::low_half) {
                base_ = opaque(base_ * factor_ * 0x10001);
                slope_ = opaque(slope_ * factor_);
            } else if constexpr (Limits)
                factor_ *= 2;
            else {
                base_ = opaque(base_ * factor_ * 2);
                slope_ = opaque(slope_ * factor_ * 2);
            }
        }

        /// Sixteen results in four or eight registers.
        FS_DEVICE void results(const Weights (&c)[4], unsigned *to) const {
            if (scaling != HccsScaling::shifted || Limits || slope_ < 65536)
                each<true>(c, to);
            else
                each<false>(c, to);
        }

      private:
        static FS_DEVICE unsigned lowest(const HccsMethod &method, unsigned m) {
            const int edge = static_cast<int>(m) - method.head_.Dmax;
            return static_cast<unsigned>(max(edge, 0));
        }
        static FS_DEVICE unsigned limited(unsigned pair) {
            return Limits ? min_words(pair, 0x7fff7fffu) : pair;
        }
        FS_DEVICE unsigned scaled(unsigned s) const {
            return Limits ? min(s, limit_) * factor_ : s;
        }
        template <bool Narrow> FS_DEVICE void each(const Weights (&c)[4], unsigned *to) const {
#pragma unroll
            for (int j = 0; j < 4; ++j)
                if constexpr (scaling == HccsScaling::low_half) {
                    to[2 * j] = limited(low_pair(c[j]) * slope_ + base_);
                    to[2 * j + 1] = limited(high_pair(c[j]) * slope_ + base_);
                } else if constexpr (scaling == HccsScaling::shifted)
                    to[j] =
                        third_bytes(scaled(line<Narrow, 0>(c[j])), scaled(line<Narrow, 1>(c[j])),
                                    scaled(line<Narrow, 2>(c[j])), scaled(line<Narrow, 3>(c[j])));
                else
                    exact(c[j], to + j * static_cast<int>(sizeof(Out)));
        }
        FS_DEVICE void exact(unsigned c, unsigned *to) const {
            const unsigned a = nearest(line<false, 0>(c)), b = nearest(line<false, 1>(c));
            const unsigned d = nearest(line<false, 2>(c)), e = nearest(line<false, 3>(c));
            if constexpr (sizeof(Out) == 1)
                to[0] = bottom_bytes(a, b, d, e);
            else {
                to[0] = permuted(a, b, 0x5410);
                to[1] = permuted(d, e, 0x5410);
            }
        }
        template <bool Narrow, int I> FS_DEVICE unsigned line(unsigned c) const {
            if constexpr (Narrow)
                return plus_product<I>(base_, slope_, c);
            else
                return permuted(c, 0, 0x4440 | I) * slope_ + base_;
        }
        FS_DEVICE unsigned nearest(unsigned s) const {
            return (__umulhi(s, factor_) + limit_) >> shift_;
        }
    };

  private:
    friend class Row;
    HccsMode mode_;
    HccsHead head_;
};

} // namespace fastsoftmax::cuda
