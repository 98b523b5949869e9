"""Arguments of the operations on floats, checked, or refused in words."""

import math
import operator
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsoftmax import _core
from fastsoftmax._inputs.libraries import Operand, operand

#: NumPy counts distances in an array with a sign, in 64 bits, so no array has so many bytes.
_TOO_MANY_BYTES = 2**63
_COMPUTED = (np.dtype(np.float32), np.dtype(np.float64))
_FLOATS = (*_COMPUTED, np.dtype(np.float16))


def checked_operand(logits: object, name: str = "logits") -> Operand:
    """`logits` as an array of floats with at least one dimension, not copied."""
    if isinstance(logits, np.ma.MaskedArray):
        raise TypeError(
            f"{name} is a MaskedArray, whose mask would be lost; pass {name}.data with "
            f"mask=~{name}.mask"
        )
    if isinstance(logits, np.generic):
        raise ValueError(f"{name} is a scalar; pass an array with at least one dimension")
    seen = operand(logits, name)
    if seen is None:
        raise TypeError(f"{name} must be an array, not {_describe(logits, name)}")
    if not seen.bfloats:
        _check_dtype(seen.array.dtype, name)
    if seen.array.ndim == 0:
        raise ValueError(f"{name} has no dimension (0-d); pass an array with at least one")
    return seen


def checked_array(logits: object, name: str = "logits") -> NDArray[Any]:
    """`logits` as a plain float32 or float64 ndarray of at least one dimension, not copied."""
    if not isinstance(logits, (np.ndarray, np.generic)):
        raise TypeError(f"{name} must be a NumPy array, not {_describe(logits, name)}")
    seen = checked_operand(logits, name)
    if seen.bfloats or seen.array.dtype not in _COMPUTED:
        dtype = getattr(logits, "dtype", None)
        raise TypeError(
            f"{name} must be float32 or float64, not {dtype}; pass {name}.astype(np.float32)"
        )
    return seen.array


def _describe(value: object, name: str) -> str:
    kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    if hasattr(value, "__dlpack__"):
        return f"{kind}; pass np.from_dlpack({name})"
    if isinstance(value, (list, tuple, int, float)):
        return f"{kind}; pass np.asarray({name}, dtype=np.float32)"
    return f"{kind}; np.asarray may convert it"


def _check_dtype(dtype: np.dtype[Any], name: str) -> None:
    if dtype in _FLOATS and dtype.isnative:
        return
    wanted = f"{name} must be float16, bfloat16, float32 or float64, not {dtype}"
    if dtype.newbyteorder("=") in _FLOATS:
        raise TypeError(
            f"{name} has the byte order of another machine ({dtype.str}); pass "
            f"{name}.astype({name}.dtype.newbyteorder('='))"
        )
    if dtype == np.dtype(np.int8):
        raise TypeError(
            f"{wanted}; int8 logits have fastsoftmax.int8.softmax and fastsoftmax.hccs.softmax; "
            f"for a float result pass {name}.astype(np.float32) * scale"
        )
    if dtype.kind in "iub":
        raise TypeError(f"{wanted}; pass {name}.astype(np.float32)")
    if dtype.kind == "O":
        raise TypeError(f"{wanted}; an array of Python objects has to be converted by its owner")
    raise TypeError(wanted)


def checked_axis(axis: object, dimensions: int) -> int:
    """`axis` as an int in range."""
    if isinstance(axis, (bool, np.bool_)) or not hasattr(axis, "__index__"):
        raise TypeError(f"axis must be an integer, not {axis!r}")
    value = operator.index(axis)
    if not -dimensions <= value < dimensions:
        raise ValueError(
            f"axis {value} is out of range for {dimensions} dimension(s); "
            f"it may be {-dimensions} to {dimensions - 1}"
        )
    return value


def checked_threads(threads: object) -> int | None:
    """`threads` as an int that could be a number of threads, or None."""
    if threads is None:
        return None
    if isinstance(threads, (bool, np.bool_)) or not hasattr(threads, "__index__"):
        raise TypeError(f"threads must be an integer or None, not {threads!r}")
    value = operator.index(threads)
    if not 1 <= value <= _core.most_threads:
        raise ValueError(f"threads is {value}; it may be 1 to {_core.most_threads}")
    return value


def checked_bytes(shape: Iterable[int], itemsize: int, what: str) -> int:
    """Return the bytes of an array, or refuse more than can be counted.

    As to NumPy, an extent of 0 is no excuse for the others: no array has that shape.
    """
    extents = list(shape)
    size = itemsize * math.prod(extent for extent in extents if extent)  # Python's don't wrap
    if size >= _TOO_MANY_BYTES:
        # the number itself may be too long to be written
        raise ValueError(
            f"{what} would take 2**{size.bit_length() - 1} bytes or more; an array has fewer than "
            "2**63, so choose smaller sizes"
        )
    return 0 if 0 in extents else size


def checked_name(value: object, what: str) -> str:
    """`value` if it is a string."""
    if not isinstance(value, str):
        raise TypeError(f"{what} must be a string, not {value!r}")
    return value


def checked_out(out: object, like: Operand) -> NDArray[Any]:
    """`out` as a plain ndarray that can take the result."""
    seen = None if isinstance(out, np.ma.MaskedArray) else operand(out, "out", writable=True)
    if seen is None:
        raise TypeError(f"out must be an array like logits, not {type(out).__name__}")
    array = seen.array
    same = seen.bfloats == like.bfloats and array.dtype == like.array.dtype
    if not same or not array.dtype.isnative:
        raise TypeError(f"out has dtype {_name(seen)}; the result is {_name(like)}")
    if array.shape != like.array.shape:
        raise ValueError(f"out has shape {array.shape}; the result has {like.array.shape}")
    if not array.flags.writeable:
        raise ValueError("out is read-only; pass an array that can be written")
    check_apart(array)
    return array


def check_apart(out: NDArray[Any]) -> None:
    """Refuse an `out` of which some elements share memory: results would overwrite each other."""
    if not _core.lies_apart(out) and _shares_memory(out):
        raise ValueError(
            "elements of out share memory; pass an array that isn't broadcast, nor windows that "
            "overlap"
        )


def _shares_memory(array: NDArray[Any]) -> bool:
    """Whether an element lies where another does, of strides that don't show it at a glance."""
    steps = [(abs(step), n) for step, n in zip(array.strides, array.shape, strict=True) if n > 1]
    room = sum(step * (n - 1) for step, n in steps) + array.itemsize
    if array.size * array.itemsize > room:
        return True
    # here places take no more memory than the span of the array
    places = np.zeros(1, np.intp)
    for step, n in steps:
        places = np.add.outer(places, step * np.arange(n)).ravel()
    return bool((np.diff(np.sort(places)) < array.itemsize).any())


def _name(seen: Operand) -> str:
    return "bfloat16" if seen.bfloats else seen.array.dtype.str
