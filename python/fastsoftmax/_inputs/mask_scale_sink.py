"""scale, mask and sink: checked, and brought into the form that the compiled core takes."""

import math
import numbers
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsoftmax._inputs.libraries import operand

Array = NDArray[Any]


_HALF_OF_LOWEST = {
    "float16": -32752.0,
    "bfloat16": float.fromhex("-0x1.fep126"),
    "float32": float.fromhex("-0x1.fffffep126"),
    "float64": float.fromhex("-0x1.fffffffffffffp1022"),
}


def masked_at_most(dtype: str, computed: str) -> float:
    """Half of the lowest number of a mask's own dtype: up to there it masks out.

    A dtype wider than the one that logits are computed in has the latter's, as its mask is narrowed
    first.
    """
    return max(_HALF_OF_LOWEST.get(dtype, -math.inf), _HALF_OF_LOWEST[computed])


def checked_scale(scale: object, computed: str) -> float:
    """`scale` as a float that is finite, and 0 or a normal number, in the dtype computed in."""
    if isinstance(scale, (bool, np.bool_)) or not isinstance(scale, numbers.Real):
        raise TypeError(f"scale must be a number, not {scale!r}")
    limits = np.finfo(computed)
    largest, smallest = float(limits.max), float(limits.smallest_normal)
    try:
        value = float(scale)
    except OverflowError:
        raise ValueError(f"scale is beyond {computed} ({largest:.2g})") from None
    if not math.isfinite(value):
        raise ValueError(f"scale is {value}; it must be finite")
    with np.errstate(all="ignore"):
        rounded = abs(float(limits.dtype.type(value)))
    if rounded > largest:
        raise ValueError(
            f"scale is {value}, beyond {computed} ({largest:.2g}), in which these logits are "
            "computed"
        )
    if rounded < smallest and value != 0:
        raise ValueError(
            f"scale is {value}, which {computed}, in which these logits are computed, takes for 0: "
            f"its smallest normal number is {smallest:.3g}"
        )
    return value


def checked_mask(mask: object, shape: tuple[int, ...], computed: str) -> Array | None:
    """`mask` as booleans, or as floats of the type that logits are computed in."""
    if mask is None:
        return None
    array = _floats_or_booleans(mask, "mask", computed)
    if array is None:
        raise TypeError(
            f"mask must be an array of bool (True = keep) or float (added to the logits), not "
            f"{describe(mask)}"
        )
    return _fitting(array, "mask", shape, "logits have")


def checked_sink(sink: object, rows: tuple[int, ...], computed: str) -> Array | None:
    """`sink` as floats of the type that logits are computed in."""
    if sink is None:
        return None
    value = np.asarray(sink) if isinstance(sink, numbers.Real) else sink
    array = _floats_or_booleans(value, "sink", computed)
    if array is None or array.dtype == np.bool_:
        raise TypeError(f"sink must be a number or an array of float, not {describe(sink)}")
    return _fitting(array, "sink", rows, "logits without the axis have")


def _floats_or_booleans(value: Any, name: str, computed: str) -> Array | None:
    seen = operand(value, name)
    if seen is None or isinstance(value, np.ma.MaskedArray):
        return None
    if seen.bfloats:
        bits = seen.array.astype(np.uint32) << 16
        return _converted(bits.view(np.float32), name, "bfloat16", computed)
    dtype = seen.array.dtype
    if dtype == np.bool_:
        return seen.array
    if dtype.kind in "iu" and not isinstance(value, np.ndarray):
        return None
    if dtype.kind == "f" or (seen.array.ndim == 0 and dtype.kind in "iu"):
        return _converted(seen.array, name, dtype.name, computed)
    return None


def _converted(array: Array, name: str, own: str, computed: str) -> Array:
    """Floats in the dtype computed in. What masks out in the dtype of a mask still does."""
    # float64's lowest masks out in float32, too, where it becomes -inf; and NaN may signal
    with np.errstate(all="ignore"):
        converted = array.astype(computed, copy=False)
    edge = masked_at_most(own, computed)
    if name == "mask" and edge > masked_at_most(computed, computed):
        return np.where(converted <= edge, converted.dtype.type(-np.inf), converted)
    return converted


def _fitting(array: Array, name: str, shape: tuple[int, ...], owner: str) -> Array:
    check_fits(array.shape, name, shape, owner)
    return np.asarray(array)


def check_fits(own: tuple[int, ...], name: str, shape: tuple[int, ...], owner: str) -> None:
    """Refuse a shape that can't be broadcast to `shape`."""
    try:
        fits = np.broadcast_shapes(own, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"{name} has shape {own}, which can't be broadcast to {shape}, the shape that {owner}"
        )


def describe(value: object) -> str:
    """Type and dtype of what was passed, for a message."""
    dtype = getattr(value, "dtype", None)
    kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    return kind if dtype is None else f"{kind} of {dtype}"
