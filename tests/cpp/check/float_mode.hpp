// The floating-point control bits of this thread (rounding, flush to zero, exception masks), to see
// that a kernel leaves them as it found them.
#pragma once
#include <cstdint>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace check {

#if defined(__x86_64__)
inline constexpr std::uint64_t flush_bits = 0x8040;
inline std::uint64_t float_mode() { return _mm_getcsr() & 0xffc0u; } // without the sticky flags
inline void set_float_mode(std::uint64_t mode) { _mm_setcsr(static_cast<unsigned>(mode)); }
#else
inline constexpr std::uint64_t flush_bits = 1u << 24;
inline std::uint64_t float_mode() {
    std::uint64_t mode;
    __asm__ __volatile__("mrs %0, fpcr" : "=r"(mode));
    return mode;
}
inline void set_float_mode(std::uint64_t mode) {
    __asm__ __volatile__("msr fpcr, %0" : : "r"(mode));
}
#endif

} // namespace check
