"""What `MaxSum` computes of exp: the factor of its merge, and probabilities."""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsoftmax._registry import cpu_kernels

Float64 = NDArray[np.float64]


def precise_factor(own: NDArray[Any], m: NDArray[Any]) -> Float64:
    """exp(own - m) to the last bits, exactly 1 where they are the same, be it infinity."""
    factor = _exp_of_difference(own.astype(np.float64), m.astype(np.float64))
    return np.where(own == m, 1.0, factor)


def _exp_of_difference(x: Float64, m: Float64) -> Float64:
    """exp(x - m) to the last bits: the rounding of the difference, 6e-14 at -700, is put back.

    Knuth's two-sum gives what was lost. Where infinities make that NaN, the difference stands.
    """
    d = x - m
    back = d - x
    lost = (x - (d - back)) - (m + back)
    return np.asarray(np.exp(d) * (1 + np.where(np.abs(lost) < 1, lost, 0)))


@lru_cache(maxsize=2)
def _lowest(dtype: np.dtype[Any]) -> float:
    """Distance below the maximum from which `online` gives exactly 0."""
    return max(
        k.domain
        for k in cpu_kernels()
        if (k.op, k.variant, k.dtype) == ("online", "exact", dtype.name)
    )


def write_probabilities(x: NDArray[Any], m: NDArray[Any], s: Float64, out: NDArray[Any]) -> None:
    """Write exp(x - m) / s, and exactly 0 for what `online` flushes to 0.

    The iterator hands out pieces of a few thousand elements, in float64 and side by side whatever
    the strides, and sees to it that an overlapping `out` doesn't spoil `x`.
    """
    lowest, smallest = _lowest(out.dtype), np.finfo(out.dtype).smallest_normal
    # a difference taken in float64 is off by less than a float32 result shows
    plain = out.dtype == np.float32
    pieces = np.nditer(
        [x, m, s, out],
        flags=["external_loop", "buffered", "copy_if_overlap", "zerosize_ok"],
        op_flags=[
            ["readonly", "overlap_assume_elementwise"],
            ["readonly"],
            ["readonly"],
            ["writeonly", "no_broadcast", "overlap_assume_elementwise"],
        ],
        op_dtypes=[np.float64] * 4,
        casting="same_kind",
    )
    with np.errstate(all="ignore"), pieces:
        for logits, maximum, total, result in pieces:
            d = logits - maximum
            p = np.exp(d) if plain else _exp_of_difference(logits, maximum)
            p /= total
            # a product keeps NaN, which an assignment of 0 would cover
            result[...] = p * ((d > lowest) & (p >= smallest))
