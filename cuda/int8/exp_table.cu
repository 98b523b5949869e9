// Launcher of the softmax by a table of exp.
#include "cuda/device/make_kernel.hpp"
#include "cuda/int8/exp_table.cuh"
#include "cuda/int8/launch.cuh"

namespace fastsoftmax::cuda {
namespace {

constexpr Kernel kernels[] = {
#define FS_INT8_TABLE(name) kernel_of("int8", "int8", byte_table::name::info()),
#include "kernels/kernels.def"
};
constexpr ExpTable tables[] = {
#define FS_INT8_TABLE(name) ExpTable::name,
#include "kernels/kernels.def"
};

} // namespace

int exp_table(const char *name) { return number_of(name, kernels, tables); }
Kernels exp_table_kernels() { return kernels; }

ExpFactors exp_factors(double scale) {
    ExpFactors factors;
    fill_exp_factors(factors.A, factors.B, scale);
    return factors;
}

int launch_exp_table(const Int8Arguments &a, ExpTable which, const ExpFactors &factors,
                     const ExpFactors *all_factors) {
    const int bits = which == ExpTable::u8 ? byte_table::u8::bits : byte_table::u16::bits;
    const ExpTableParameters parameters{factors, all_factors, bits,
                                        halvings_of(static_cast<std::size_t>(a.n), bits)};
    Int8Launch launch(a);
    return a.bytes ? launch.run<ExpTableMethod<std::uint8_t>>(parameters)
                   : launch.run<ExpTableMethod<std::int16_t>>(parameters);
}

} // namespace fastsoftmax::cuda
