// Heinsen attention (arXiv 2404.05843) of one head in its linear, max-shifted form:
//
//   y_tj = sum_i w_ti A_ij / sum_i w_ti z_i,   A_ij = sum_t p_ti v_tj,   z_i = sum_t p_ti
//
// with the weights of feature_weights.hpp, in chunks of 16 tokens. A chunk takes its maxima first
// and rescales the state once, only in features whose maximum rose; all else in it is products of
// blocks (chunk.hpp), for each panel of 16 columns of A while that is in the cache: one
// pass over A per chunk. A single token takes its own way (token.hpp). Exponentials: d_k
// for a key and d_k for a query, none for A.
//
// With queries, m may not rise by more than 16 within a chunk, or earlier tokens of it would lose
// what later ones outweigh; nor may anything in it not be finite, or it would spread to earlier
// tokens. Such a chunk's first token goes alone, and then the next 16 are tried.
//
// Error of y relative to sum_t weight |v_t|, in u = 2^-24 (float64: 2^-53), at worst:
//
//   a weight     6 for exp (float64: 9; weight.hpp), and X for its exponent -X, rounded once. Only
//                X <= log(n d_k) + 1 counts: what lies lower is little beside the rest.
//                Both p and w: 2 (6 + X)
//   A and z      a rounding for each chunk and 16 within it, n / 16 + 16 (single tokens: n / 8);
//                for each of r rises of m a factor of the same kind, 7 r + X in all
//   features     sums of d_k terms: d_k
//
// For n = 1000, d_k = 128 (X = 13) and r = 12, as normal keys have it, 342 u (float64: 384 u =
// 4.3e-14). Roundings go both ways, so sums of N of them leave about their root: 60 u = 3.6e-6.
// Claimed, and checked at this size (tests/cpp/check/heinsen.cpp): 5e-6 and 1e-13. It grows with
// the number of tokens as float sums do: docs/heinsen.md has measurements.
//
// Edges: -inf in k skips the feature, -inf in q counts as a very low number; an empty state gives
// NaN; NaN and +inf in k spread over the feature for good, in q over the answer, in v over the
// column from there on.
// Rejected: the log domain of eq. 5 and 6, an exp and a log for each element of the state; chunks
// of 8 with A by rows, each element loaded for 8 tokens. Both are slower.
#pragma once
#include "common/claims.hpp"
#include "kernels/heinsen/chunk.hpp"
#include "kernels/heinsen/token.hpp"

namespace fastsoftmax {

template <class Variant, class V> class Heinsen {
    using T = typename V::scalar;
    static constexpr std::size_t lanes = V::lanes;

  public:
    using Arguments = HeinsenArguments<T>;
    static constexpr Claim exact_claim = claims::heinsen;

    static void run(const Arguments &all) { each_head(all, run_head); }

  private:
    // not inlined: one copy for a single head and for several
    static __attribute__((noinline)) void run_head(const Arguments &a) {
        HeinsenHead<V> head(a);
        if (a.n == 0 || !a.k)
            head.settle();
        for (std::size_t t = 0, n; t < a.n; t += n) {
            n = a.n - t < heinsen_block ? a.n - t : heinsen_block;
            if (n == 1 || !take_chunk(head, t, n)) {
                take_token(head, t);
                n = 1;
            }
        }
    }

    /// False, and nothing done, if these tokens must not go together.
    static FS_INLINE bool take_chunk(HeinsenHead<V> &head, std::size_t t, std::size_t n) {
        const Arguments &a = head.a;
        const HeinsenRows<T> k = head.keys(t, n, heinsen_block);
        if (a.k) {
            const HeinsenRise rise = head.weights.template find_top<heinsen_block>(k);
            if (a.q && (rise == HeinsenRise::far || !finite(a.v + t * a.d_v, n * a.d_v)))
                return false;
            head.rise(rise);
        }
        head.settle();
        HeinsenChunk<V>(head, t, n, head.queries(t, n, heinsen_block), k).run();
        return true;
    }

    static FS_INLINE void take_token(HeinsenHead<V> &head, std::size_t t) {
        const HeinsenRows<T> k = head.keys(t, 1, 1);
        if (head.a.k)
            head.rise(head.weights.template find_top<1>(k));
        HeinsenToken<V>::run(head, t, head.queries(t, 1, 1), k);
    }

    static FS_INLINE bool finite(const T *v, std::size_t n) {
        V odd[2] = {V::set(0), V::set(0)}; // two chains of sums hide the time of an addition
        for (std::size_t i = 0; i < n; i += 2 * lanes)
            for (std::size_t c = 0; c < 2; ++c) {
                const V x = load_filled<V>(v, i + c * lanes, n, 0);
                odd[c] = odd[c] + (x - x);
            }
        return V::reduce_add(odd[0] + odd[1]) == 0;
    }
};

} // namespace fastsoftmax
