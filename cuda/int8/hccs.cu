// Launcher of HCCS.
#include "cuda/device/make_kernel.hpp"
#include "cuda/int8/hccs.cuh"
#include "cuda/int8/launch.cuh"

namespace fastsoftmax::cuda {
namespace {

constexpr Kernel kernels[] = {
#define FS_HCCS(name) kernel_of("hccs", "int8", hccs::name::info()),
#include "kernels/kernels.def"
};
constexpr HccsMode modes[] = {
#define FS_HCCS(name) HccsMode::name,
#include "kernels/kernels.def"
};

template <HccsScaling scaling, bool Limits, class Out>
int run(const Int8Arguments &a, const HccsParameters &parameters) {
    return Int8Launch(a).run<HccsMethod<scaling, Limits, Out>>(parameters);
}

} // namespace

int hccs_mode(const char *name) { return number_of(name, kernels, modes); }
Kernels hccs_kernels() { return kernels; }

int launch_hccs(const Int8Arguments &a, HccsMode mode, const HccsHead &head,
                const HccsHead *heads) {
    const HccsParameters parameters{head, heads, mode};
    if (mode == HccsMode::wide)
        return a.bytes ? run<HccsScaling::nearest, false, std::uint8_t>(a, parameters)
                       : run<HccsScaling::nearest, false, std::int16_t>(a, parameters);
    if (a.bytes != (mode == HccsMode::i8_div || mode == HccsMode::i8_clb))
        return cudaErrorInvalidValue;
    if (mode == HccsMode::i8_div)
        return run<HccsScaling::shifted, false, std::uint8_t>(a, parameters);
    if (mode == HccsMode::i8_clb)
        return run<HccsScaling::shifted, true, std::uint8_t>(a, parameters);
    return run<HccsScaling::low_half, true, std::int16_t>(a, parameters);
}

} // namespace fastsoftmax::cuda
