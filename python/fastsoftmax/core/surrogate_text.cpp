// The generated surrogates as C text, which `fastsoftmax.export` puts into headers.
#include "module.hpp"

namespace fastsoftmax::python {
namespace {

namespace nb = nanobind;

/// Of each surrogate: its argument, the lower edge of its domain, the body of the function.
nb::dict surrogate_text() {
    nb::dict all;
#define FS_C_SURROGATE(name, argument, edge, text)                                                 \
    all[#name] = nb::make_tuple(argument, edge, text);
#include "surrogates_c.def"
#undef FS_C_SURROGATE
    return all;
}

} // namespace

void add_surrogate_text(nb::module_ &module) { module.def("surrogate_text", &surrogate_text); }

} // namespace fastsoftmax::python
