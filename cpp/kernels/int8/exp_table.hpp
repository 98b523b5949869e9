// Softmax of int8 rows by a table of exp: see common/int8_exp_table.hpp for the formulas,
// rows.hpp for the passes.
//
// An element's weight is two lookups of sixteen entries for each factor (one for each byte) and a
// rounded product, or one lookup of a whole table for each byte. The result is the high half of a
// product, an addition and a shift.
//
// Bound: the bits are those of the formulas, on every ISA. Edges: see rows.hpp.
// Rejected: eight 16-entry lookups of a 128-entry table on AVX2, slower than the product of two;
// a gather, slower than either.
#pragma once
#include "common/int8_exp_table.hpp"
#include "kernels/int8/dispatch.hpp"

#include <type_traits>

namespace fastsoftmax {

/// Entries: so many d that all others weigh 0, clamped to where the last one is 0, too.
template <class Table, class V, class Result, int Size> class TableMethod {
    using Words = typename V::Words;
    using Sums = typename V::Sums;
    using Table16 = decltype(V::table16(nullptr));
    static constexpr int full = sizeof(Result) == 1 ? 255 : 32767;

  public:
    using Out = Result;
    struct Prepared { ///< words, each twice
        std::int32_t q[16], round[16], shift[16];
    };
    struct Scale {
        Words q, round;
        decltype(Words::count(0)) shift;
    };

    /// The bytes of the factors, which the caller keeps alive.
    struct Entries {
        alignas(16) std::uint8_t a_low[16], a_high[16], b_low[16], b_high[16];

        explicit FS_INLINE Entries(const ByteTableArguments &a) {
            for (int i = 0; i < 16; ++i) {
                a_low[i] = static_cast<std::uint8_t>(a.A[i] & 255);
                a_high[i] = static_cast<std::uint8_t>(a.A[i] >> 8);
                b_low[i] = static_cast<std::uint8_t>(a.B[i] & 255);
                b_high[i] = static_cast<std::uint8_t>(a.B[i] >> 8);
            }
        }
    };
    explicit FS_INLINE TableMethod(const Entries &e)
        : a_low_(V::table16(e.a_low)), a_high_(V::table16(e.a_high)), b_low_(V::table16(e.b_low)),
          b_high_(V::table16(e.b_high)), last_(V::set(Size - 1)) {
        if constexpr (PermutesBytes<V>)
            for (int b = 0; b < Size / 64; ++b) {
                const Words weights = weigh(V::counting(64 * b));
                low_[b] = V::narrow(Table::bits == 8 ? weights : weights & Words::set(127));
                high_[b] = V::narrow(weights >> 7);
            }
    }

    static constexpr std::size_t longer(std::size_t entries) { return entries; }
    FS_INLINE V clamp(V d) const { return Size < 256 ? V::min(d, last_) : d; }

    /// Bytes; or words, or two halves of words that are looked up by themselves.
    struct Halves {
        V low, high;
    };
    using Weights = std::conditional_t<Table::bits == 8, V,
                                       std::conditional_t<PermutesBytes<V>, Halves, Words>>;
    static constexpr bool caches = !PermutesBytes<V>;
    using Cached = std::conditional_t<Table::bits == 8, std::uint8_t, std::int16_t>;
    FS_INLINE Weights weights(V d) const {
        if constexpr (!PermutesBytes<V> && Table::bits == 8)
            return V::narrow(weigh(d));
        else if constexpr (!PermutesBytes<V>)
            return weigh(d);
        else if constexpr (Table::bits == 8)
            return V::template lookup<Size>(low_, d);
        else
            return {V::template lookup<Size>(low_, d), V::template lookup<Size>(high_, d)};
    }
    /// The weights, times 2^8 (u8) or 2 (u16).
    FS_INLINE Words scaled(Weights w) const {
        if constexpr (Table::bits == 8)
            return V::zip(V::set(0), w);
        else if constexpr (PermutesBytes<V>)
            return V::zip(w.low + w.low, w.high);
        else
            return w + w;
    }
    template <bool Partial> FS_INLINE Sums sum(Sums sums, const Weights &w, V counted) const {
        if constexpr (Table::bits == 8) {
            return V::add_bytes(sums, Partial ? w & counted : w);
        } else if constexpr (PermutesBytes<V>) {
            sums = V::add_bytes(sums, Partial ? w.low & counted : w.low);
            return V::add_bytes_128(sums, Partial ? w.high & counted : w.high);
        } else {
            return V::add_words(sums, Partial ? w & V::zip(counted, counted) : w);
        }
    }
    static FS_INLINE std::int32_t fitted(std::uint64_t sum, std::size_t n) {
        return static_cast<std::int32_t>(halved(sum, halvings_of(n, Table::bits)));
    }
    FS_INLINE void prepare(std::size_t n, const std::int32_t *sums, const std::int32_t *, bool,
                           Prepared &to) const {
        const int halvings = halvings_of(n, Table::bits);
        for (int i = 0; i < 16; ++i) {
            const RowScale by = row_scale<Table::bits, full>(sums[i] > 1 ? sums[i] : 1, halvings);
            to.q[i] = in_both_halves(by.q);
            // bytes: the shift is 6 at least, as the largest weight is in every sum
            to.round[i] = in_both_halves(full == 255 ? rounding_factor(by.shift) : by.round);
            if constexpr (full != 255)
                to.shift[i] = in_both_halves(by.shift);
        }
    }
    template <class Row> FS_INLINE Scale scale(const Prepared &from, Row row) const {
        if constexpr (full == 255)
            return {row.words(from.q), row.words(from.round), decltype(Scale::shift){}};
        else
            return {row.words(from.q), row.words(from.round), row.count(from.shift)};
    }
    FS_INLINE Words normalise(Words scaled, const Scale &by) const {
        const Words product = Words::mul_high(scaled, by.q);
        if constexpr (full == 255)
            return Words::mul_rounded(product, by.round);
        else
            return (product + by.round) >> by.shift;
    }

  private:
    FS_INLINE Words weigh(V d) const {
        const V i = V::high_nibble(d), j = V::low_nibble(d);
        const Words a = V::zip(V::lookup16(a_low_, i), V::lookup16(a_high_, i));
        const Words b = V::zip(V::lookup16(b_low_, j), V::lookup16(b_high_, j));
        const Words product = Words::mul_rounded(a, b);
        return Table::bits == 8 ? Words::mul_rounded(product, Words::set(255)) : product;
    }

    Table16 a_low_, a_high_, b_low_, b_high_;
    V last_;
    static constexpr int blocks = PermutesBytes<V> ? Size / 64 : 1;
    V low_[blocks], high_[blocks]; // the weights: bytes, or 7 bits and 8 above them
};

template <class Table, class V> struct Int8Table {
    using Arguments = ByteTableArguments;

    static void run(const ByteTableArguments &a) {
        if (a.bytes)
            rows<std::uint8_t>(a);
        else
            rows<std::int16_t>(a);
    }

  private:
    static int weight(const ByteTableArguments &a, int d) {
        return table_weight(a.A[d >> 4], a.B[d & 15], Table::bits);
    }
    template <class Out> static void rows(const ByteTableArguments &a) {
        if constexpr (PermutesBytes<V>) {
            if (weight(a, 63) == 0)
                return rows_by<Out, 64>(a);
            if (weight(a, 127) == 0)
                return rows_by<Out, 128>(a);
        }
        rows_by<Out, 256>(a);
    }
    template <class Out, int Size> static void rows_by(const ByteTableArguments &a) {
        using Method = TableMethod<Table, V, Out, Size>;
        const typename Method::Entries entries(a);
        int8_rows<Method, V, Size, Size>(a, Method(entries), Size);
    }
};

} // namespace fastsoftmax
