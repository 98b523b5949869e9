// `scan`, for study: a thread for each sequence.
#include "cuda/api/scan.hpp"
#include "array.hpp"
#include "module.hpp"

#include <nanobind/stl/string.h>

namespace fastsoftmax::python {
namespace {

/// x has the steps in its first dimension, and in the others sequences side by side, in C order.
void scan(const Array &x, const std::string &variant, const Array &m, const Array &s, int threads,
          bool ahead, std::uintptr_t stream) {
    cuda::ScanArguments arguments{};
    arguments.variant = cuda::scan_variant(variant.c_str());
    require(arguments.variant >= 0, "no such variant");
    require(x.dimensions() > 0 && x.floats() == cuda::Dtype::float32 &&
                m.floats() == cuda::Dtype::float32 && s.floats() == cuda::Dtype::float32,
            "logits and results aren't float32");
    arguments.n = x.extent(0);
    arguments.step = x.stride(0);
    arguments.sequences = x.side_by_side(1);
    require(arguments.sequences >= 0 && m.side_by_side(0) == arguments.sequences &&
                s.side_by_side(0) == arguments.sequences,
            "sequences and results don't lie side by side");
    arguments.x = static_cast<const float *>(x.data());
    arguments.m = static_cast<float *>(m.data());
    arguments.s = static_cast<float *>(s.data());
    arguments.threads = threads;
    arguments.ahead = ahead;
    arguments.stream = reinterpret_cast<cuda::Stream>(stream);
    launch(x.device(), "scan/" + variant, [&] { return cuda::launch_scan(arguments); });
}

} // namespace

void add_scan(nb::module_ &module) { module.def("scan", &scan); }

} // namespace fastsoftmax::python
