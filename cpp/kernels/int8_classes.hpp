// Which class of int8_rows.hpp a call gets: rows of up to four whole vectors have their loops
// unrolled (a loop over a run-time n costs 1.6 times as much at 64 columns), masked and longer ones
// share one, and results are looked up where bytes can be permuted and rows are long enough, but
// not masked: that would take a tenth of the library.
#pragma once
#include "kernels/int8_rows.hpp"

namespace fastsoftmax {

/// Chooses the class of a row length.
template <class Method, class V, int Entries = 0, int Chunks = 0>
void rows_of_length(const Int8Arguments &a, const Method &method) {
    constexpr std::size_t lanes = V::lanes;
    if (a.mask)
        Int8Rows<Method, V, -1, true, 0>::run(a, method);
    else if constexpr (Chunks > 4 || lanes == 1 || Entries > 64)
        Int8Rows<Method, V, -1, false, Entries>::run(a, method);
    else if (a.n / lanes == Chunks)
        Int8Rows<Method, V, Chunks, false, Entries>::run(a, method);
    else
        rows_of_length<Method, V, Entries, Chunks + 1>(a, method);
}

/// `entries`: a table of so many d, of Least to Most in powers of two, has all weights that differ.
/// Results are looked up in rows from `longer` on, where that pays.
template <class Method, class V, int Least, int Most>
void int8_rows(const Int8Arguments &a, const Method &method, std::size_t entries,
               std::size_t longer) {
    if constexpr (PermutesBytes<V>) {
        if (a.n >= longer) {
            if constexpr (Least < Most) {
                if (entries > Least)
                    return int8_rows<Method, V, 2 * Least, Most>(a, method, entries, longer);
            }
            return rows_of_length<Method, V, Least>(a, method);
        }
    }
    rows_of_length<Method, V>(a, method);
}

} // namespace fastsoftmax
