"""int8 operations on arrays that lie on a CUDA device."""

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastsoftmax._device.inputs import Place
from fastsoftmax._inputs.checks import checked_axis, checked_threads
from fastsoftmax._inputs.int8 import checked_out_dtype
from fastsoftmax._inputs.libraries import count_write
from fastsoftmax._inputs.mask_scale_sink import check_fits, describe


class Call:
    """Logits, mask and result of an int8 operation, checked; and which rows share parameters."""

    def __init__(self, x: Any, axis: Any, threads: Any, stream: Any, isa: Any) -> None:
        self.place = place = Place(x, "x", stream)
        self.x = place.seen(x, "x")
        if self.x.dtype != "int8":
            raise TypeError(
                f"x must be int8, not {self.x.dtype or describe(x)}; quantise it first, or pass "
                "floats to online"
            )
        shape = self.x.shape
        if not shape:
            raise ValueError("x has no dimension (0-d); pass an array with at least one")
        if checked_axis(axis, len(shape)) % len(shape) != len(shape) - 1:
            raise ValueError(
                f"axis is {axis}; on a CUDA device int8 rows lie along the last axis: permute x"
            )
        checked_threads(threads)
        place.check_isa(isa)
        self.shape, self.given = shape, x
        self.leading, self.n = math.prod(shape[:-2]), shape[-1]

    def sets(
        self, parameters: NDArray[Any], what: str, each: int = 0
    ) -> tuple[NDArray[Any], int, int]:
        """Spread parameters out; return them, how many rows share a set, and how many sets."""
        own = parameters.shape[: parameters.ndim - each]
        width = parameters.shape[parameters.ndim - each :]
        if not own:
            return parameters.reshape(1, *width), max(math.prod(self.shape[:-1]), 1), 1
        outer = self.shape[:-2]
        try:
            spread = np.broadcast_to(parameters, (*outer, *width))
        except ValueError:
            raise ValueError(
                f"{what} have shape {own}, which doesn't broadcast to {outer}, the dimensions of x "
                "but the rows and the axis"
            ) from None
        return spread.reshape(-1, *width), self.shape[-2], self.leading

    def neighbours(self, array: Any) -> bool:
        """Whether elements of a row lie side by side."""
        return bool(self.n <= 1 or (array.shape[-1:] == (self.n,) and array.strides[-1] == 1))

    def arrays(self, mask: Any, dtype: np.dtype[Any], out: Any) -> tuple[Any, Any, Any, Any]:
        """Give x, mask and result for the kernel, and the result for the caller."""
        place, library = self.place, self.place.library
        seen_mask = self._mask(mask)
        if not self.neighbours(self.x):
            self.x = place.seen(library.copy_rows(self.given, len(self.shape) - 1), "a copy")
        if out is None:
            result = library.empty(self.shape, library.dtype(dtype.name))
            return self.x, seen_mask, place.seen(result, "a result"), result
        y = place.seen(out, "out")
        if y.dtype != dtype.name:
            raise TypeError(f"out has dtype {y.dtype}; the result is {dtype}")
        if y.shape != self.shape:
            raise ValueError(f"out has shape {y.shape}; the result has {self.shape}")
        overlaps = self.x.overlaps(y) or (seen_mask is not None and seen_mask.overlaps(y))
        if not self.neighbours(y) or not y.distinct or overlaps:
            raise ValueError(
                "on a CUDA device the rows of out must be contiguous and overlap neither each "
                "other, nor x, nor mask; leave out away"
            )
        return self.x, seen_mask, y, out

    def _mask(self, mask: Any) -> Any:
        if mask is None:
            return None
        seen_mask = self.place.seen(mask, "mask")
        if seen_mask.dtype != "bool":
            raise TypeError(
                f"mask must be an array of bool, True where to keep; got {seen_mask.dtype}"
            )
        check_fits(seen_mask.shape, "mask", self.shape, "x has")
        if self.neighbours(seen_mask):
            return seen_mask
        library = self.place.library
        spread = library.empty((*seen_mask.shape[:-1], self.n), library.dtype("bool"))
        spread[...] = mask
        return self.place.seen(spread, "a copy")


def hccs(
    call: Call, heads: NDArray[np.int32], mode: str, mask: Any, dtype: np.dtype[Any], out: Any
) -> Any:
    """HCCS with B, S and Dmax in the last dimension of `heads`."""
    place = call.place
    place.check_variant(mode, "hccs", "int8", "mode")
    sets, each, count = call.sets(heads, "params", 1)
    with place.library.using(place.stream):
        x, seen_mask, y, result = call.arrays(mask, dtype, out)
        if 0 not in call.shape:
            B, S, Dmax = map(int, sets[0])
            uploaded = place.upload(np.ascontiguousarray(sets)) if count > 1 else None
            place.cuda.hccs(x, uploaded, B, S, Dmax, each, count, mode, seen_mask, y, place.stream)
    count_write(out)
    return result


def softmax(
    call: Call, scales: NDArray[np.float64], table: str, mask: Any, asked: DTypeLike, out: Any
) -> Any:
    """Softmax by a table of exp, one for each scale."""
    place = call.place
    place.check_variant(table, "int8", "int8", "table")
    sets, each, count = call.sets(scales, "the scales")
    with place.library.using(place.stream):
        x, seen_mask, y, result = call.arrays(mask, checked_out_dtype(asked), out)
        if 0 not in call.shape:
            uploaded = None
            if count > 1:
                factors = np.frombuffer(place.cuda.exp_factors(sets.tolist()), np.int16)
                uploaded = place.upload(factors.copy())
            scale = float(sets[0])
            place.cuda.int8_softmax(
                x, uploaded, scale, each, count, table, seen_mask, y, place.stream
            )
    count_write(out)
    return result
