// Casts between Python and the C++ API, and nothing else.
//
// Each function takes the well-formed case: a plain float32 or float64 ndarray, an axis in range,
// an out= of the same kind that doesn't half overlap. For anything else it returns False and has
// written nothing; Python then finds out what is wrong and says it in words (_arrays.py). Unknown
// variants and ISAs raise here, from the registry, which knows what there is.
#include "core/buffer.hpp"
#include "core/module.hpp"

namespace fastsoftmax::python {
Numpy *numpy;
} // namespace fastsoftmax::python

NB_MODULE(_core, module) {
    using namespace fastsoftmax::python;
    const nb::object np = nb::module_::import_("numpy");
    const nb::object int16 = np.attr("int16"), uint8 = np.attr("uint8"), dtype = np.attr("dtype");
    numpy = new Numpy{np.attr("ndarray"),
                      np.attr("empty"),
                      np.attr("empty_like"),
                      np.attr("float32"),
                      np.attr("float64"),
                      np.attr("int64"),
                      int16,
                      uint8,
                      dtype(int16),
                      dtype(uint8)};
    add_heinsen(module);
    add_int8(module);
    add_operations(module);
    add_study(module);
    add_surrogate_text(module);
    add_table(module);
}
