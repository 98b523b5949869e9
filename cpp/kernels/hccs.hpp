// HCCS of rows: see common/hccs.hpp for the formulas, int8_rows.hpp for the passes.
//
// An element costs a subtraction and a minimum of bytes in each of two passes, one sum of bytes,
// and, in words, a product and a subtraction for s and the mode's scaling: Z = count * B - S * sum
// of d, so the sum needs no scores. (s * q) >> 15 is the high half of (2 s) * q.
//
// `wide` divides exactly: an estimate in float32 that is never above the result and at most one
// below it, then the remainder in int32 (V::nearest). It takes 12 instructions for 16 elements.
// Where n * B is above 2^29 the remainder would overflow; such rows are divided one by one, in 64
// bits.
//
// Bound: the bits are those of the formulas, on every ISA. Edges: see int8_rows.hpp.
#pragma once
#include "common/hccs.hpp"
#include "kernels/int8_classes.hpp"

namespace fastsoftmax {

template <class Mode, class V, class Result> class HccsMethod {
    using Words = typename V::Words;
    using Sums = typename V::Sums;
    static constexpr HccsScaling scaling = Mode::scaling;
    static constexpr int full = sizeof(Result) == 1 ? 255 : 32767;
    static constexpr int unit = scaling == HccsScaling::shifted ? 2 : 1;

  public:
    using Out = Result;
    struct Prepared {
        std::int32_t z[16], q[16];
        float factor[16];
    };
    struct Scale {
        Words q;
        std::int32_t z;
        float factor;
    };

    explicit FS_INLINE HccsMethod(const HccsArguments &a)
        : b_(a.B), s_(a.S), Dmax_(V::set(a.Dmax)), B_(Words::set(unit * a.B)),
          S_(Words::set(unit * a.S)) {}

    FS_INLINE V clamp(V d) const { return V::min(d, Dmax_); }
    FS_INLINE Words weigh(V d) const { return B_ - Words::mul_low(S_, V::zip(d, V::set(0))); }
    template <bool Partial> FS_INLINE Sums sum(Sums sums, V d, V kept) const {
        return V::add_bytes(sums, Partial ? d & kept : d);
    }
    static FS_INLINE std::int32_t fitted(std::uint64_t sum, std::size_t) {
        return static_cast<std::int32_t>(static_cast<std::uint32_t>(sum)); // Z is exact modulo 2^32
    }
    /// Quotients of 16 rows from the sums of their d.
    FS_INLINE void prepare(std::size_t n, const std::int32_t *sums, const std::int32_t *counts,
                           bool masked, Prepared &to) const {
        const auto b = static_cast<std::uint32_t>(b_), s = static_cast<std::uint32_t>(s_);
        for (int i = 0; i < 16; ++i) {
            const std::uint32_t count =
                masked ? static_cast<std::uint32_t>(counts[i]) : static_cast<std::uint32_t>(n);
            const auto z =
                static_cast<std::int32_t>(count * b - s * static_cast<std::uint32_t>(sums[i]));
            to.z[i] = z > 1 ? z : 1;
        }
        for (int i = 0; i < 16; ++i) {
            if constexpr (scaling == HccsScaling::nearest)
                to.factor[i] = static_cast<float>(full) / static_cast<float>(to.z[i]);
            else
                to.q[i] = Mode::quotient(to.z[i]);
        }
    }
    FS_INLINE Scale scale(const Prepared &from, int i) const {
        if constexpr (scaling == HccsScaling::nearest)
            return {Words::set(0), from.z[i], from.factor[i]};
        else
            return {Words::set(from.q[i]), 0, 0};
    }
    FS_INLINE Words normalise(Words s, const Scale &by) const {
        if constexpr (scaling == HccsScaling::low_half)
            return Words::min(Words::mul_low(s, by.q), Words::set(32767));
        else if constexpr (scaling == HccsScaling::shifted)
            return Words::mul_high(s, by.q);
        else
            return Words::nearest(s, full, by.factor, by.z);
    }

  private:
    std::int32_t b_, s_;
    V Dmax_;
    Words B_, S_;
};

template <class Mode, class V> struct Hccs {
    using Arguments = HccsArguments;

    static void run(const HccsArguments &a) {
        constexpr bool wide = Mode::scaling == HccsScaling::nearest;
        constexpr bool bytes = Mode::scaling == HccsScaling::shifted;
        if (wide && static_cast<std::int64_t>(a.n) * a.B > nearest_limit)
            return a.bytes ? in_64_bits<std::uint8_t>(a, 255) : in_64_bits<std::int16_t>(a, 32767);
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
        const std::size_t entries = a.Dmax < 64 ? 64 : a.Dmax < 128 ? 128 : 256;
        // measured: against the mode's arithmetic, a table of 64 pays at once for shifted bytes
        const std::size_t longer = Mode::scaling == HccsScaling::low_half ? 8 * entries
                                   : Mode::scaling == HccsScaling::shifted && entries > 64
                                       ? 3 * entries / 2
                                       : entries;
        constexpr int most = Mode::scaling == HccsScaling::nearest ? 256 : 128; // the paper's Dmax
        int8_rows<Method, V, 64, most>(a, Method(a), entries, longer);
    }

    /// `wide` to the letter.
    template <class Out> static void in_64_bits(const HccsArguments &a, std::int64_t full) {
        for (std::size_t r = 0; r < a.rows; ++r) {
            const auto row = static_cast<std::ptrdiff_t>(r);
            const std::int8_t *x = a.x + row * a.x_stride;
            const std::uint8_t *mask = a.mask ? a.mask + row * a.mask_stride : nullptr;
            Out *y = static_cast<Out *>(a.y) + row * a.y_stride;
            int m = -128;
            for (std::size_t i = 0; i < a.n; ++i)
                m = (!mask || mask[i]) && x[i] > m ? x[i] : m;
            const auto score = [&](std::size_t i) -> std::int64_t {
                const int d = m - x[i];
                return mask && !mask[i] ? 0 : a.B - a.S * (d < a.Dmax ? d : a.Dmax);
            };
            std::int64_t z = 0;
            for (std::size_t i = 0; i < a.n; ++i)
                z += score(i);
            for (std::size_t i = 0; i < a.n; ++i)
                y[i] = static_cast<Out>(z ? (2 * full * score(i) + z) / (2 * z) : 0);
        }
    }
};

} // namespace fastsoftmax
