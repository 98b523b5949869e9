// The bytes of avx512, compiled for VNNI.
#pragma once
#include "vec/avx512_int8.hpp"
