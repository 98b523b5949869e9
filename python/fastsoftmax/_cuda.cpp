// Casts between arrays on a CUDA device and the launchers, and nothing else: _device has found
// out what is wrong with arguments and said it in words.
#include "cuda/module.hpp"

NB_MODULE(_cuda, module) {
    using namespace fastsoftmax::python;
    add_array(module);
    add_heinsen(module);
    add_int8(module);
    add_rows(module);
    add_scan(module);
    add_topk(module);
}
