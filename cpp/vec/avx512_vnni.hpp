// AVX-512 with VNNI and VBMI (Ice Lake on): dot products of bytes and byte permutes, which serve
// the int8 kernels only. The float kernels would be those of avx512 over again.
#pragma once
#define FS_INT8_KERNELS_ONLY 1
#include "vec/avx512.hpp"
