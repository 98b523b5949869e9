// Integer arithmetic has no use for a fused multiply-add.
#pragma once
#include "vec/scalar_int8.hpp"
