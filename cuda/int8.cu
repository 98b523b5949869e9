// Launchers of HCCS and of the table of exp.
#include "exp_table.cuh"
#include "hccs.cuh"
#include "int8_launch.cuh"

#include <cmath>
#include <cstring>

namespace fastsoftmax::cuda {
namespace {

using hccs::mode_info;

constexpr Kernel exact_bits(const char *op, const VariantInfo &variant) {
    return {op, "int8", variant, 0, "exact bits"};
}
constexpr Kernel table[] = {
    exact_bits("hccs", hccs::i16_div::info()),  exact_bits("hccs", hccs::i16_clb::info()),
    exact_bits("hccs", hccs::i8_div::info()),   exact_bits("hccs", hccs::i8_clb::info()),
    exact_bits("hccs", hccs::wide::info()),     exact_bits("int8", byte_table::u8::info()),
    exact_bits("int8", byte_table::u16::info())};
constexpr int modes = 5, tables = 2;

int number_of(const char *name, const Kernel *kernels, int count) {
    for (int i = 0; i < count; ++i)
        if (std::strcmp(name, kernels[i].variant.name) == 0)
            return i;
    return -1;
}

template <HccsScaling scaling, bool Limits, class Out>
int run_hccs(Int8Launch &launch, const HccsParameters &parameters) {
    return launch.run<HccsMethod<scaling, Limits, Out>>(parameters);
}

} // namespace

int hccs_mode(const char *name) { return number_of(name, table, modes); }
int exp_table(const char *name) { return number_of(name, table + modes, tables); }
Kernels int8_kernels() { return {table, modes + tables}; }

void fill_exp_factors(ExpFactors &factors, double scale) {
    for (int i = 0; i < 16; ++i) {
        factors.A[i] = static_cast<std::int16_t>(std::lrint(32767 * std::exp(-16 * scale * i)));
        factors.B[i] = static_cast<std::int16_t>(std::lrint(32767 * std::exp(-scale * i)));
    }
}

int launch_hccs(const Int8Arguments &a, HccsMode mode, const HccsHead &head,
                const HccsHead *heads) {
    Int8Launch launch(a);
    const HccsParameters parameters{head, heads, mode};
    if (mode == HccsMode::wide)
        return a.bytes ? run_hccs<HccsScaling::nearest, false, std::uint8_t>(launch, parameters)
                       : run_hccs<HccsScaling::nearest, false, std::int16_t>(launch, parameters);
    if (a.bytes != (mode == HccsMode::i8_div || mode == HccsMode::i8_clb))
        return cudaErrorInvalidValue;
    if (mode == HccsMode::i8_div)
        return run_hccs<HccsScaling::shifted, false, std::uint8_t>(launch, parameters);
    if (mode == HccsMode::i8_clb)
        return run_hccs<HccsScaling::shifted, true, std::uint8_t>(launch, parameters);
    return run_hccs<HccsScaling::low_half, true, std::int16_t>(launch, parameters);
}

int launch_exp_table(const Int8Arguments &a, ExpTable which, const ExpFactors &factors,
                     const ExpFactors *all_factors) {
    Int8Launch launch(a);
    const int bits = which == ExpTable::u8 ? byte_table::u8::bits : byte_table::u16::bits;
    const ExpTableParameters parameters{factors, all_factors, bits,
                                        halvings_of(static_cast<std::size_t>(a.n))};
    return a.bytes ? launch.run<ExpTableMethod<std::uint8_t>>(parameters)
                   : launch.run<ExpTableMethod<std::int16_t>>(parameters);
}

} // namespace fastsoftmax::cuda
