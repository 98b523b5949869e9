// The results of a row as a table over d, where bytes can be looked up in tables of 64 to 256
// entries.
//
// Weights depend on d alone, results on d and the row. So the weights of all d are computed once
// for a call, and normalised once for a row: a vector of table costs what a vector of the row
// would, and from rows as long as the table on, lookups are cheaper. Results of 16 bits are two
// tables of bytes. The table is built by the arithmetic it stands for, so the bits are the same.
#pragma once
#include "vec/int8_concept.hpp"

namespace fastsoftmax {

/// The weights of all d below Entries, as they are normalised.
template <class Method, class V, int Entries> struct WeightTable {
    typename V::Words weights[Entries / 64];

    explicit FS_INLINE WeightTable(const Method &method) {
        for (int b = 0; b < Entries / 64; ++b)
            weights[b] = method.scaled(method.weights(method.clamp(V::counting(64 * b))));
    }
};
template <class Method, class V> struct WeightTable<Method, V, 0> {
    explicit FS_INLINE WeightTable(const Method &) {}
};

template <class Method, class V, int Entries> class RowTable {
    using Words = typename V::Words;
    static constexpr bool words = sizeof(typename Method::Out) == 2;

  public:
    FS_INLINE RowTable(const WeightTable<Method, V, Entries> &table, const Method &method,
                       const typename Method::Scale &scale) {
        for (int b = 0; b < Entries / 64; ++b) {
            const Words p = method.normalise(table.weights[b], scale);
            low_[b] = V::narrow(words ? p & Words::set(255) : p);
            if constexpr (words)
                high_[b] = V::narrow(p >> 8);
        }
    }
    /// Bytes, or words if that is what results are.
    FS_INLINE auto result(V d) const {
        const V low = V::template lookup<Entries>(low_, d);
        if constexpr (words)
            return V::zip(low, V::template lookup<Entries>(high_, d));
        else
            return low;
    }

  private:
    V low_[Entries / 64], high_[words ? Entries / 64 : 1];
};

} // namespace fastsoftmax
