// HCCS of rows: see common/hccs.hpp for the formulas, rows.hpp for the passes.
//
// An element costs a subtraction and a minimum of bytes in each of two passes, one sum of bytes,
// and, in words, a product and a subtraction for s and the mode's scaling: Z = count * B - S * sum
// of d, so the sum needs no scores. (s * q) >> 15 is the high half of (2 s) * q.
//
// `wide` rounds exactly: a product with a reciprocal of 33 bits, of which the high half is kept. It
// takes 10 instructions for a vector of words (8 to bytes). An estimate in float32 and the
// remainder in int32 took 12 for half as many.
//
// Bound: the bits are those of the formulas, on every ISA. Edges: see rows.hpp.
#pragma once
#include "common/hccs.hpp"
#include "kernels/int8/dispatch.hpp"

namespace fastsoftmax {

template <class Mode, class V, class Result> class HccsMethod {
    using Words = typename V::Words;
    using Sums = typename V::Sums;
    static constexpr HccsScaling scaling = Mode::scaling;
    static constexpr int full = sizeof(Result) == 1 ? 255 : 32767;
    static constexpr int unit = scaling == HccsScaling::shifted ? 2 : 1;

  public:
    using Out = Result;
    static constexpr bool nearest = scaling == HccsScaling::nearest;
    struct Prepared { ///< words, each twice; `above` is the factor that rounds bytes
        std::int32_t q[16], low[16], above[16], shift[16];
    };
    struct Scale {
        Words q, low, above;
        decltype(Words::count(0)) shift;
    };

    explicit FS_INLINE HccsMethod(const HccsArguments &a)
        : b_(a.B), s_(a.S), doublings_(nearest ? doublings_of(a.B) : unit - 1),
          Dmax_(V::set(a.Dmax)), B_(Words::set(a.B << doublings_)),
          S_(Words::set(a.S << doublings_)) {}

    /// Rows so long have their results looked up in so many entries. Measured: against a low half,
    /// a table has to serve many vectors; against the rest one of 64 pays at once, larger ones
    /// where a row has a vector more.
    static constexpr std::size_t longer(std::size_t entries) {
        return scaling == HccsScaling::low_half ? 8 * entries
               : entries > 64                   ? entries + 64
                                                : entries;
    }
    FS_INLINE V clamp(V d) const { return V::min(d, Dmax_); }
    /// d stands for its weight.
    using Weights = V;
    using Cached = std::uint8_t;
    static constexpr bool caches = false;
    static FS_INLINE V weights(V d) { return d; }
    /// The scores, doubled as often as normalise() wants.
    FS_INLINE Words scaled(V d) const { return B_ - Words::mul_low(S_, V::zip(d, V::set(0))); }
    template <bool Partial> FS_INLINE Sums sum(Sums sums, V d, V counted) const {
        return V::add_bytes(sums, Partial ? d & counted : d);
    }
    static FS_INLINE std::int32_t fitted(std::uint64_t sum, std::size_t) {
        return static_cast<std::int32_t>(static_cast<std::uint32_t>(sum)); // Z is exact modulo 2^32
    }
    /// Quotients of 16 rows from the sums of their d.
    FS_INLINE void prepare(std::size_t n, const std::int32_t *sums, const std::int32_t *counts,
                           bool masked, Prepared &to) const {
        const auto b = static_cast<std::uint32_t>(b_), s = static_cast<std::uint32_t>(s_);
        std::int32_t z[16];
        for (int i = 0; i < 16; ++i) {
            const std::uint32_t count =
                masked ? static_cast<std::uint32_t>(counts[i]) : static_cast<std::uint32_t>(n);
            z[i] = static_cast<std::int32_t>(count * b - s * static_cast<std::uint32_t>(sums[i]));
            z[i] = z[i] > 1 ? z[i] : 1;
        }
        for (int i = 0; i < 16; ++i) {
            if constexpr (nearest) {
                const Reciprocal by = reciprocal_of(z[i], full, doublings_);
                to.q[i] = in_both_halves(by.high);
                to.low[i] = in_both_halves(by.low);
                to.above[i] =
                    full == 255 ? in_both_halves(rounding_factor(by.shift + 1)) : by.above;
                if constexpr (full != 255)
                    to.shift[i] = in_both_halves(by.shift);
            } else {
                to.q[i] = in_both_halves(Mode::quotient(z[i]));
            }
        }
    }
    template <class Row> FS_INLINE Scale scale(const Prepared &from, Row row) const {
        const Words q = row.words(from.q);
        if constexpr (!nearest)
            return {q, q, q, decltype(Scale::shift){}};
        else if constexpr (full == 255)
            return {q, row.words(from.low), row.words(from.above), decltype(Scale::shift){}};
        else
            return {q, row.words(from.low), row.words(from.above), row.count(from.shift)};
    }
    FS_INLINE Words normalise(Words s, const Scale &by) const {
        if constexpr (scaling == HccsScaling::low_half)
            return Words::min(Words::mul_low(s, by.q), Words::set(32767));
        else if constexpr (scaling == HccsScaling::shifted)
            return Words::mul_high(s, by.q);
        const Words product = Words::mul_high32(s, by.q, by.low);
        if constexpr (full == 255) // t is below 2^9
            return Words::mul_rounded(product, by.above);
        else
            return Words::half((product + (s & by.above)) >> by.shift);
    }

  private:
    std::int32_t b_, s_;
    int doublings_;
    V Dmax_;
    Words B_, S_;
};

template <class Mode, class V> struct Hccs {
    using Arguments = HccsArguments;

    static void run(const HccsArguments &a) {
        constexpr bool wide = Mode::scaling == HccsScaling::nearest;
        constexpr bool bytes = Mode::scaling == HccsScaling::shifted;
        if constexpr (wide || bytes) {
            if (a.bytes)
                return rows<std::uint8_t>(a);
        }
        if constexpr (!bytes)
            rows<std::int16_t>(a);
    }

  private:
    template <class Out> static void rows(const HccsArguments &a) {
        using Method = HccsMethod<Mode, V, Out>;
        const int entries = a.Dmax < 64 ? 64 : a.Dmax < 128 ? 128 : 256;
        constexpr int most = Mode::scaling == HccsScaling::nearest ? 256 : 128; // the paper's Dmax
        int8_rows<Method, V, 64, most>(a, Method(a), entries);
    }
};

} // namespace fastsoftmax
