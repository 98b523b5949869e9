// Atomics and fences. One fiber runs at a time, so fences do nothing; the atomics order memory, so
// that the race detector accepts what is handed over by them.
#pragma once
#include "hostcuda.hpp"

inline void __threadfence() {}
inline void __threadfence_block() {}

namespace hostcuda {

/// *p = f(*p); gives what was there.
template <class T, class F> T atomically(T *p, F f) {
    using Bits = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;
    static_assert(sizeof(T) == sizeof(Bits));
    check_aligned(p, sizeof(T));
    Bits *const bits = reinterpret_cast<Bits *>(p);
    Bits old = __atomic_load_n(bits, __ATOMIC_ACQUIRE);
    for (;;) {
        const auto seen = unpacked<T>(old);
        const auto next = static_cast<Bits>(packed<T>(f(seen)));
        if (__atomic_compare_exchange_n(bits, &old, next, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE))
            return seen;
    }
}

} // namespace hostcuda

template <class T> T atomicAdd(T *p, std::type_identity_t<T> v) {
    return hostcuda::atomically(p, [v](T old) { return static_cast<T>(old + v); });
}
template <class T> T atomicMax(T *p, std::type_identity_t<T> v) {
    return hostcuda::atomically(p, [v](T old) { return old > v ? old : v; });
}
template <class T> T atomicMin(T *p, std::type_identity_t<T> v) {
    return hostcuda::atomically(p, [v](T old) { return old < v ? old : v; });
}
template <class T> T atomicOr(T *p, std::type_identity_t<T> v) {
    return hostcuda::atomically(p, [v](T old) { return static_cast<T>(old | v); });
}
template <class T> T atomicExch(T *p, std::type_identity_t<T> v) {
    return hostcuda::atomically(p, [v](T) { return v; });
}
template <class T> T atomicCAS(T *p, std::type_identity_t<T> expected, std::type_identity_t<T> v) {
    return hostcuda::atomically(p, [=](T old) { return old == expected ? v : old; });
}
