// One lane with fused multiply-add: x86-64 with FMA3, or the fmadd that every Armv8 has.
#pragma once
#define FS_SCALAR_FUSED 1
#include "vec/scalar.hpp"
