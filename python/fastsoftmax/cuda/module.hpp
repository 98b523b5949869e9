// The parts that the extension module for CUDA is made of; each adds its functions.
#pragma once
#include <nanobind/nanobind.h>

namespace fastsoftmax::python {

void add_array(nanobind::module_ &module);   // table.cpp: arrays, kernels and devices
void add_heinsen(nanobind::module_ &module); // heinsen.cpp: attention with a state
void add_int8(nanobind::module_ &module);    // int8.cpp: HCCS and exp in a table
void add_rows(nanobind::module_ &module);    // rows.cpp: operations on rows of floats

void add_scan(nanobind::module_ &module); // scan.cpp: the recurrence
void add_topk(nanobind::module_ &module); // topk.cpp: the largest probabilities

} // namespace fastsoftmax::python
