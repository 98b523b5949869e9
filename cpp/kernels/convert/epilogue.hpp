// Results from scratch space to where they belong: narrowed to half types, scattered.
//
// The way back of prologue.hpp. A half is the float32 result rounded once, to nearest, ties to
// even. Weights of a long row become results on the way, by one multiplication in float32.
#pragma once
#include "common/config.hpp"
#include "kernels/arguments.hpp"
#include "vec/concept.hpp"

namespace fastsoftmax {

template <class V> struct Epilogue {
    using T = typename V::scalar;
    using Arguments = EpilogueArguments<T>;

    static void run(const Arguments &a) {
        if constexpr (Converts<V>) {
            if (a.format == Format::float16)
                return rows<float16>(a);
            if (a.format == Format::bfloat16)
                return rows<bfloat16>(a);
        }
        rows<T>(a);
    }

  private:
    static constexpr std::size_t lanes = V::lanes;

    template <class E> __attribute__((noinline)) static void rows(const Arguments &a) {
        constexpr auto size = static_cast<std::ptrdiff_t>(sizeof(E));
        const bool whole = a.y_inner == size && a.y_outer % size == 0 &&
                           reinterpret_cast<std::uintptr_t>(a.y) % alignof(E) == 0;
        const std::size_t inner = a.inner; // a store of E might change it: it can't stay in `a`
        const V factor = V::set(a.factor);
        for (std::size_t o = 0; o < a.outer; ++o) {
            const auto row = static_cast<std::ptrdiff_t>(o);
            const T *z = a.z + row * a.z_outer;
            char *y = static_cast<char *>(a.y) + row * a.y_outer;
            std::size_t i = 0;
            if (whole)
#pragma GCC unroll 4
                for (; i + lanes <= inner; i += lanes)
                    store(V::load(z + i) * factor, reinterpret_cast<E *>(y) + i);
            for (; i < inner; i += lanes) {
                const std::size_t count = inner - i < lanes ? inner - i : lanes;
                E results[lanes];
                const V vector = count == lanes ? V::load(z + i) : V::load_n(z + i, count, 0);
                store(vector * factor, results);
                char *to = y + static_cast<std::ptrdiff_t>(i) * a.y_inner;
                for (std::size_t j = 0; j < count; ++j, to += a.y_inner)
                    __builtin_memcpy(to, results + j, sizeof(E));
            }
        }
    }

    static FS_INLINE void store(V v, T *p) { v.store(p); }
    template <class E> static FS_INLINE void store(V v, E *p) { v.narrow_to(p); }
};

} // namespace fastsoftmax
