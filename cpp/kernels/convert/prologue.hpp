// Logits as kernels take them: scale * x [+ mask] in T, neighbours in memory.
//
//   z = scale * x                 one rounding, none where scale is 1
//   z = fma(scale, x, mask)       one rounding
//   z = -inf                      where the mask is false, or at most half of the lowest number
//
// One pass in front of a kernel, for a block that stays in L1: half types are widened there, masks
// applied, scattered elements gathered. Every variant gets all of this from one source, and at one
// price: 16 logits cost one to three loads and a store more, beside some 10 to 20 operations of the
// softmax itself. Rejected: reading through a mask and a conversion in each pass of `exact`; it
// saves that store, and multiplies the kernels by nine.
//
// What is masked out takes no part, whatever it is: NaN too. Inner elements that are neighbours in
// memory go by whole vectors, others and the tail through a copy of one vector.
#pragma once
#include "common/config.hpp"
#include "kernels/arguments.hpp"
#include "vec/concept.hpp"

namespace fastsoftmax {

/// scale * x + mask, rounded once where V has no fused multiply-add, too: a float by way of double,
/// a double with the error of its product kept aside (Dekker, Knuth). A second rounding would cost
/// a probability up to half a unit in the last place of scale * x.
template <class V> FS_INLINE V scaled_and_added(V x, typename V::scalar scale, V mask) {
    using T = typename V::scalar;
    if constexpr (V::fused) {
        return V::fma(x, V::set(scale), mask);
    } else if (scale == 1) {
        return x + mask;
    } else if constexpr (sizeof(T) == 4) {
        const double wide = static_cast<double>(x.v) * scale + static_cast<double>(mask.v);
        return {static_cast<float>(wide)};
    } else {
        const auto high = [](T a) {
            const T shifted = a * T(0x1p27 + 1);
            return shifted - (shifted - a);
        };
        const T product = x.v * scale, x1 = high(x.v), x2 = x.v - x1, s1 = high(scale),
                s2 = scale - s1;
        const T product_error = ((x1 * s1 - product) + x1 * s2 + x2 * s1) + x2 * s2;
        const T sum = product + mask.v, part = sum - product;
        const T sum_error = (product - (sum - part)) + (mask.v - part);
        const T error = product_error + sum_error;
        return {error - error == 0 ? sum + error : sum}; // beyond 2^996 there is no error to be had
    }
}

template <class V> struct Prologue {
    using T = typename V::scalar;
    using Arguments = PrologueArguments<T>;

    static void run(const Arguments &a) {
        if constexpr (Converts<V>) {
            if (a.format == Format::float16)
                return of_format<float16>(a);
            if (a.format == Format::bfloat16)
                return of_format<bfloat16>(a);
        }
        of_format<T>(a);
    }

  private:
    static constexpr std::size_t lanes = V::lanes;

    template <class E> static void of_format(const Arguments &a) {
        switch (a.mask_kind) {
        case MaskKind::none:
            return rows<E, MaskKind::none>(a);
        case MaskKind::keep:
            return rows<E, MaskKind::keep>(a);
        case MaskKind::add:
            return rows<E, MaskKind::add>(a);
        }
    }

    template <class E, MaskKind Kind>
    __attribute__((noinline)) static void rows(const Arguments &a) {
        using M = std::conditional_t<Kind == MaskKind::add, T, std::uint8_t>;
        const bool whole =
            side_by_side<E>(a.x, a.x_inner, a.x_outer) &&
            (Kind == MaskKind::none || side_by_side<M>(a.mask, a.mask_inner, a.mask_outer));
        const std::size_t inner = a.inner; // a store of T might change them: they can't stay in `a`
        const T scale = a.scale;
        for (std::size_t o = 0; o < a.outer; ++o) {
            const auto row = static_cast<std::ptrdiff_t>(o);
            const char *x = static_cast<const char *>(a.x) + row * a.x_outer;
            const char *mask =
                Kind == MaskKind::none ? x : static_cast<const char *>(a.mask) + row * a.mask_outer;
            T *z = a.z + row * a.z_outer;
            std::size_t i = 0;
            if (whole)
#pragma GCC unroll 4
                for (; i + lanes <= inner; i += lanes)
                    value<Kind>(load(reinterpret_cast<const E *>(x) + i),
                                reinterpret_cast<const M *>(mask) + i, scale)
                        .store(z + i);
            for (; i < inner; i += lanes) {
                const std::size_t count = inner - i < lanes ? inner - i : lanes;
                E logits[lanes] = {};
                M masks[lanes] = {};
                gather(logits, x, a.x_inner, i, count);
                if constexpr (Kind != MaskKind::none)
                    gather(masks, mask, a.mask_inner, i, count);
                const V v = value<Kind>(load(logits), masks, scale);
                if (count == lanes)
                    v.store(z + i);
                else
                    v.store_n(z + i, count);
            }
        }
    }

    template <MaskKind Kind, class M>
    static FS_INLINE V value(V x, [[maybe_unused]] const M *mask, T scale) {
        if constexpr (Kind == MaskKind::add) {
            const V m = V::load(mask);
            const V z = scaled_and_added(x, scale, m);
            return V::lowest_where_le(
                z, m, V::set(sizeof(T) == 4 ? -0x1.fffffep126 : -0x1.fffffffffffffp1022));
        } else if constexpr (Kind == MaskKind::keep) {
            return V::lowest_unless(x * V::set(scale), mask);
        } else {
            return x * V::set(scale);
        }
    }

    static FS_INLINE V load(const T *p) { return V::load(p); }
    template <class E> static FS_INLINE V load(const E *p) { return V::widen(p); }

    template <class E>
    static bool side_by_side(const void *data, std::ptrdiff_t inner, std::ptrdiff_t outer) {
        constexpr auto size = static_cast<std::ptrdiff_t>(sizeof(E));
        return inner == size && outer % size == 0 &&
               reinterpret_cast<std::uintptr_t>(data) % alignof(E) == 0;
    }

    /// By memcpy, since elements may lie at any address.
    template <class E>
    static FS_INLINE void gather(E *to, const char *from, std::ptrdiff_t step, std::size_t first,
                                 std::size_t count) {
        from += static_cast<std::ptrdiff_t>(first) * step;
        for (std::size_t i = 0; i < count; ++i, from += step)
            __builtin_memcpy(to + i, from, sizeof(E));
    }
};

} // namespace fastsoftmax
