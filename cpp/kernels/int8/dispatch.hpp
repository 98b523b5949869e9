// Which class of rows.hpp a call gets: rows of up to four whole vectors have their loops unrolled,
// masked and longer ones share one, and results are looked up where bytes can be permuted and rows
// are long enough, but not masked, which would cost too much space. Rows of up to half a vector go
// two by two.
//
// A class that no row length reaches is not compiled, which spares a good part of the library.
#pragma once
#include "kernels/int8/rows.hpp"
#include "kernels/int8/short_rows.hpp"

namespace fastsoftmax {

/// Chooses the class of a row of at least `Chunks` whole vectors and fewer than `Below` elements.
template <class Method, class V, int Entries, std::size_t Chunks, std::size_t Below>
void rows_of_length(const Int8Arguments &a, const Method &method) {
    constexpr std::size_t lanes = V::lanes;
    if constexpr (Chunks > 4 || lanes == 1 || Entries > 64)
        Int8Rows<Method, V, any_length, unmasked, Entries>::run(a, method);
    else if constexpr ((Chunks + 1) * lanes >= Below)
        Int8Rows<Method, V, Chunks, unmasked, Entries>::run(a, method);
    else if (a.n / lanes == Chunks)
        Int8Rows<Method, V, Chunks, unmasked, Entries>::run(a, method);
    else
        rows_of_length<Method, V, Entries, Chunks + 1, Below>(a, method);
}

/// Rows whose results are looked up, in a table of `entries`.
template <class Method, class V, int Least, int Most>
void rows_by_table(const Int8Arguments &a, const Method &method, int entries) {
    if constexpr (Least < Most) {
        if (entries > Least)
            return rows_by_table<Method, V, 2 * Least, Most>(a, method, entries);
    }
    constexpr std::size_t chunks = Method::longer(Least) / V::lanes;
    rows_of_length<Method, V, Least, chunks, ~std::size_t{0}>(a, method);
}

/// `entries`: a table of so many d, of Least to Most in powers of two, has all weights that differ.
template <class Method, class V, int Least, int Most>
void int8_rows(const Int8Arguments &a, const Method &method, int entries) {
    if (a.mask)
        return Int8Rows<Method, V, any_length, masked, no_lookup>::run(a, method);
    if constexpr (PairsRows<V>) {
        if (a.n <= V::lanes / 2)
            return Int8Pairs<Method, V>::run(a, method);
    }
    if constexpr (PermutesBytes<V>) {
        if (a.n >= Method::longer(static_cast<std::size_t>(entries)))
            return rows_by_table<Method, V, Least, Most>(a, method, entries);
        rows_of_length<Method, V, no_lookup, 0, Method::longer(Most)>(a, method);
    } else {
        rows_of_length<Method, V, no_lookup, 0, ~std::size_t{0}>(a, method);
    }
}

} // namespace fastsoftmax
