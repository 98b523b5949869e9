// The passes over one row that the row kernels are made of: maximum, weights with their sum, scale.
//
// Tails load -inf, which weighs 0 in every variant and never is a maximum. Sums:
// common/compensated_sum.hpp.
#pragma once
#include "common/compensated_sum.hpp"
#include "common/config.hpp"
#include <cstddef>
#include <cstdint>

namespace fastsoftmax {

template <class V> FS_INLINE typename V::scalar lowest_value() {
    return -static_cast<typename V::scalar>(__builtin_inf());
}

/// Rows this long are worth peeling to whole vectors in memory, where the order of operations is
/// free: an access across two cache lines costs two.
inline constexpr std::size_t peel_from = 512;

/// Elements from p to the first that a whole vector is aligned at, fewer than V has lanes.
template <class V> FS_INLINE std::size_t first_aligned(const typename V::scalar *p) {
    constexpr std::size_t size = sizeof(typename V::scalar), bytes = V::lanes * size;
    return -reinterpret_cast<std::uintptr_t>(p) % bytes / size;
}

/// Largest element, NaN passed over (the weights find it); -inf for no element.
template <class V>
FS_INLINE typename V::scalar row_max(const typename V::scalar *x, std::size_t n) {
    constexpr std::size_t lanes = V::lanes;
    const V lowest = V::set(lowest_value<V>());
    V m0 = lowest, m1 = lowest, m2 = lowest, m3 = lowest;
    V m4 = lowest, m5 = lowest, m6 = lowest, m7 = lowest; // eight hide the latency of max
    std::size_t i = 0;
    if (n >= peel_from) { // what the first vector and the aligned ones share is taken twice
        m7 = V::max(V::load(x), lowest);
        i = first_aligned<V>(x);
    }
    for (; i + 8 * lanes <= n; i += 8 * lanes) {
        m0 = V::max(V::load(x + i), m0);
        m1 = V::max(V::load(x + i + lanes), m1);
        m2 = V::max(V::load(x + i + 2 * lanes), m2);
        m3 = V::max(V::load(x + i + 3 * lanes), m3);
        m4 = V::max(V::load(x + i + 4 * lanes), m4);
        m5 = V::max(V::load(x + i + 5 * lanes), m5);
        m6 = V::max(V::load(x + i + 6 * lanes), m6);
        m7 = V::max(V::load(x + i + 7 * lanes), m7);
    }
    for (; i + lanes <= n; i += lanes)
        m0 = V::max(V::load(x + i), m0);
    if (i < n)
        m1 = V::max(V::load_n(x + i, n - i, lowest_value<V>()), m1);
    m0 = V::max(V::max(m0, m1), V::max(m2, m3));
    m4 = V::max(V::max(m4, m5), V::max(m6, m7));
    return V::reduce_max(V::max(m0, m4));
}

/// What a pass over logits leaves behind beside its sum.
enum class Storing { nothing, weights };

/// For weigh(), where there is no work to be done meanwhile.
struct NothingBeside {
    FS_INLINE void operator()() const {}
};

/// Sum of the weights of a row; writes them to y as well if asked to. y may be x. Calls beside()
/// before each tree of vectors, for work that fits in among the arithmetic.
template <Storing Stored, class V, class Weight, class Beside = const NothingBeside>
FS_INLINE double weigh(const Weight &weight, const typename V::scalar *x, typename V::scalar *y,
                       std::size_t n, Beside &&beside = {}) {
    constexpr std::size_t lanes = V::lanes;
    constexpr int tree = tree_size<V>;
    constexpr std::size_t block = 256 * lanes;
    const auto take = [&](std::size_t at) {
        const V w = weight(V::load(x + at));
        if constexpr (Stored == Storing::weights)
            w.store(y + at);
        return w;
    };
    CompensatedSum total;
    for (std::size_t i = 0; i < n;) {
        const std::size_t end = n - i < block ? n : i + block;
        CompensatedLanes<V> sum;
        for (; i + tree * lanes <= end; i += tree * lanes) {
            beside();
            sum.add(tree_sum<tree, V>([&](std::size_t j) { return take(i + j * lanes); }));
        }
        for (; i + lanes <= end; i += lanes)
            sum.add(take(i));
        if (i < end) {
            const V w = weight(V::load_n(x + i, end - i, lowest_value<V>()));
            if constexpr (Stored == Storing::weights)
                w.store_n(y + i, end - i);
            sum.add(w);
            i = end;
        }
        total.add(V::reduce_add(sum.total));
        total.add(V::reduce_add(sum.lost));
    }
    return total.value();
}

/// y *= factor.
template <class V>
FS_INLINE void scale_row(typename V::scalar *y, std::size_t n, typename V::scalar factor) {
    constexpr std::size_t lanes = V::lanes;
    const V k = V::set(factor);
    std::size_t i = n >= peel_from ? first_aligned<V>(y) : 0;
    if (i > 0)
        (V::load_n(y, i, 0) * k).store_n(y, i);
    for (; i + 4 * lanes <= n; i += 4 * lanes) {
        (V::load(y + i) * k).store(y + i);
        (V::load(y + i + lanes) * k).store(y + i + lanes);
        (V::load(y + i + 2 * lanes) * k).store(y + i + 2 * lanes);
        (V::load(y + i + 3 * lanes) * k).store(y + i + 3 * lanes);
    }
    for (; i + lanes <= n; i += lanes)
        (V::load(y + i) * k).store(y + i);
    if (i < n)
        (V::load_n(y + i, n - i, 0) * k).store_n(y + i, n - i);
}

/// f(weight), small rather than fast.
template <class F, class Weight>
__attribute__((noinline, cold)) double rarely(const F &f, const Weight &weight) {
    return f(weight);
}

/// Calls f with the weight functor that suits a row of maximum m: see `limit` in exp.hpp.
template <class Variant, class V, class F>
FS_INLINE double with_weight(typename V::scalar m, const F &f) {
    using Plain = typename Variant::template Weight<V, Shift::none>;
    using Shifted = typename Variant::template Weight<V, Shift::by_maximum>;
    if (__builtin_expect(m < Plain::limit() && m > -Plain::limit(), 1))
        return f(Plain(m));
    return rarely(f, Shifted(m));
}

} // namespace fastsoftmax
