// The parts that the extension module is made of; each adds its functions.
#pragma once
#include <nanobind/nanobind.h>

namespace fastsoftmax::python {

void add_heinsen(nanobind::module_ &module);    // heinsen.cpp: attention with a state
void add_int8(nanobind::module_ &module);       // int8.cpp: HCCS and exp in a byte table
void add_operations(nanobind::module_ &module); // operations.cpp: what the public operations call
void add_study(
    nanobind::module_ &module); // study.cpp: weights and updates one by one, for bench and tests
void add_surrogate_text(nanobind::module_ &module); // surrogate_text.cpp: surrogates as C text
void add_table(nanobind::module_ &module); // table.cpp: what is compiled and what runs here

} // namespace fastsoftmax::python
