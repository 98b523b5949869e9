// Which class of int8_rows.hpp a call gets: rows of up to four whole vectors have their loops
// unrolled (a loop over a run-time n costs 1.6 times as much at 64 columns), masked and longer ones
// share one, and results are looked up where bytes can be permuted and rows are long enough.
#pragma once
#include "kernels/int8_rows.hpp"

namespace fastsoftmax {

/// Chooses the class of a row length.
template <class Method, class V, int Entries = 0, int Chunks = 0>
void rows_of_length(const Int8Arguments &a, const Method &method) {
    constexpr std::size_t lanes = V::lanes;
    if (a.mask)
        Int8Rows<Method, V, -1, true, Entries>::run(a, method);
    else if constexpr (Chunks > 4 || lanes == 1 || Entries > 64)
        Int8Rows<Method, V, -1, false, Entries>::run(a, method);
    else if (a.n / lanes == Chunks)
        Int8Rows<Method, V, Chunks, false, Entries>::run(a, method);
    else
        rows_of_length<Method, V, Entries, Chunks + 1>(a, method);
}

/// `entries`: a table of so many d, 64, 128 or 256, has all weights that differ. Results are looked
/// up in rows from `longer` on, where that pays.
template <class Method, class V>
void int8_rows(const Int8Arguments &a, const Method &method, std::size_t entries,
               std::size_t longer) {
    if constexpr (PermutesBytes<V>) {
        if (a.n >= longer) {
            if (entries == 64)
                return rows_of_length<Method, V, 64>(a, method);
            if (entries == 128)
                return rows_of_length<Method, V, 128>(a, method);
            return rows_of_length<Method, V, 256>(a, method);
        }
    }
    rows_of_length<Method, V>(a, method);
}

} // namespace fastsoftmax
