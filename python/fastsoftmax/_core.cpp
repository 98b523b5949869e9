// Casts between Python and the C++ API, and nothing else.
//
// Each function takes the well-formed case: a plain float32 or float64 ndarray, an axis in range,
// an out= of the same kind that doesn't half overlap. For anything else it returns False and has
// written nothing; Python then finds out what is wrong and says it in words (_inputs). Unknown
// variants and ISAs raise here, from the registry, which knows what there is.
#define FS_IMPORT_NUMPY
#include "core/buffer.hpp"
#include "core/module.hpp"

NB_MODULE(_core, module) {
    using namespace fastsoftmax::python;
    if (PyArray_ImportNumPyAPI() != 0)
        throw nb::python_error();
    add_heinsen(module);
    add_int8(module);
    add_operations(module);
    add_study(module);
    add_surrogate_text(module);
    add_table(module);
}
