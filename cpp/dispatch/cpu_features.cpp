#include "dispatch/cpu_features.hpp"

#include <algorithm>
#include <vector>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace fastsoftmax {
namespace {

using Names = std::vector<std::string_view>;

#if defined(__x86_64__)

struct Registers {
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Registers cpuid(unsigned leaf) {
    Registers r;
    __get_cpuid_count(leaf, 0, &r.eax, &r.ebx, &r.ecx, &r.edx); // leaves zeros for absent leaves
    return r;
}

unsigned long long saved_state() {
    unsigned low = 0, high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (static_cast<unsigned long long>(high) << 32) | low;
}

Names detect() {
    Names names;
    const auto add = [&names](unsigned word, int bit, std::string_view name) {
        if ((word >> bit) & 1u)
            names.push_back(name);
    };
    const Registers one = cpuid(1);
    // An instruction set in CPUID is of no use if the system does not save its registers
    if (((one.ecx >> 27) & 1u) == 0)
        return names;
    const unsigned long long state = saved_state();
    if ((state & 0x6) != 0x6)
        return names;
    const Registers seven = cpuid(7);
    add(one.ecx, 12, "fma");
    add(one.ecx, 28, "avx");
    add(one.ecx, 29, "f16c");
    add(seven.ebx, 5, "avx2");
    if ((state & 0xe6) == 0xe6) {
        add(seven.ebx, 16, "avx512f");
        add(seven.ebx, 17, "avx512dq");
        add(seven.ebx, 30, "avx512bw");
        add(seven.ebx, 31, "avx512vl");
        add(seven.ecx, 1, "avx512vbmi");
        add(seven.ecx, 11, "avx512_vnni");
    }
    return names;
}

#else

// Advanced SIMD with fused multiply-add is part of every Armv8-A that runs a 64-bit system
Names detect() { return {"neon", "fma"}; }

#endif

} // namespace

bool cpu_has_all(std::string_view features) {
    static const auto &present = *new Names(detect()); // threads may outlive statics
    std::size_t at = 0;
    while ((at = features.find_first_not_of(' ', at)) != std::string_view::npos) {
        const std::size_t end = std::min(features.find(' ', at), features.size());
        const std::string_view wanted = features.substr(at, end - at);
        bool found = false;
        for (const std::string_view name : present)
            found = found || name == wanted;
        if (!found)
            return false;
        at = end;
    }
    return true;
}

} // namespace fastsoftmax
