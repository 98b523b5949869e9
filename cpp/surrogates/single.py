"""float32 arithmetic on Python floats: rounding, neighbours, fused multiply-add."""

from __future__ import annotations

import math
import struct

_SINGLE = struct.Struct("<f")
_BITS = struct.Struct("<i")


def to_single(value: float) -> float:
    """Round to the nearest float32, ties to even; beyond its range to infinity."""
    try:
        return float(_SINGLE.unpack(_SINGLE.pack(value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def towards_zero(value: float) -> float:
    """Return the float32 next to a nonzero float32, on the side of zero."""
    bits = _BITS.unpack(_SINGLE.pack(value))[0]
    return float(_SINGLE.unpack(_BITS.pack(bits - 1))[0])


def fused_multiply_add(a: float, b: float, c: float) -> float:
    """Return a * b + c of three float32, rounded once to float32.

    The product is exact in double. The sum is rounded to odd there: its last bit remembers that
    something was cut off, so that the second rounding can't meet a false tie.
    """
    product = a * b
    total = product + c
    if not math.isfinite(total):
        return to_single(total)
    # Knuth's two-sum: `lost` is exactly what the sum in double left out.
    share = total - product
    lost = (product - (total - share)) + (c - share)
    if lost != 0.0 and int(math.frexp(total)[0] * 2.0**53) % 2 == 0:
        total = math.nextafter(total, math.copysign(math.inf, lost))
    return to_single(total)
