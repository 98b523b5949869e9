// The two 16-bit floating types, as storage: arithmetic is done in float32.
#pragma once
#include <cstdint>

namespace fastsoftmax {

/// IEEE 754 binary16.
struct float16 {
    std::uint16_t bits;
};

/// The upper half of a float32.
struct bfloat16 {
    std::uint16_t bits;
};

} // namespace fastsoftmax
