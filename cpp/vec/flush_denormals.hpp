// Flush denormal numbers to zero while a kernel runs, and put the caller's mode back after.
//
// Rows whose weights fall into the denormal window would otherwise cost many times as much.
// Included by every ISA header, inside whose unnamed namespace it must stay: see isa_unit.cpp.
#pragma once

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif
#include <cstdint>

namespace fastsoftmax::FS_ISA {
namespace {

class FlushDenormals {
  public:
    FlushDenormals() : saved_(read()) {
        if ((saved_ & bits) != bits)
            write(saved_ | bits);
    }
    ~FlushDenormals() {
        if ((saved_ & bits) != bits)
            write(saved_);
    }
    FlushDenormals(const FlushDenormals &) = delete;
    FlushDenormals &operator=(const FlushDenormals &) = delete;

  private:
#if defined(__x86_64__)
    using Word = unsigned;
    static constexpr Word bits = 0x8040; // flush-to-zero and denormals-are-zero
    static Word read() { return _mm_getcsr(); }
    static void write(Word word) { _mm_setcsr(word); }
#elif defined(__aarch64__)
    using Word = std::uint64_t;
    static constexpr Word bits = 1u << 24; // FPCR.FZ does both
    static Word read() {
        Word word;
        __asm__ __volatile__("mrs %0, fpcr" : "=r"(word));
        return word;
    }
    static void write(Word word) { __asm__ __volatile__("msr fpcr, %0" : : "r"(word) : "memory"); }
#else
#error "fastsoftmax knows x86-64 and AArch64 only"
#endif
    Word saved_;
};

} // namespace
} // namespace fastsoftmax::FS_ISA
