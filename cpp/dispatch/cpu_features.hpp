// Which instruction sets the CPU has and the operating system saves.
#pragma once
#include <string_view>

namespace fastsoftmax {

/// Whether code that needs `features`, names parted by blanks ("avx2 fma"), runs here. The CPU is
/// asked once: CPUID traps in virtual machines. Unknown names count as absent.
bool cpu_has_all(std::string_view features);

} // namespace fastsoftmax
