"""Arrays of the int8 operations, checked and laid out as the compiled core takes them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastsoftmax import _core
from fastsoftmax._inputs.checks import check_apart, checked_axis, checked_name

_RESULTS = (np.dtype(np.int16), np.dtype(np.uint8))


def checked_logits(x: object) -> NDArray[np.int8]:
    """`x` as a plain int8 ndarray of at least one dimension, not copied."""
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(
            "x is a MaskedArray, whose mask would be lost; pass x.data and mask=~x.mask"
        )
    if not isinstance(x, np.ndarray):
        raise TypeError(f"x must be a NumPy array of int8, not {type(x).__name__}")
    if x.dtype != np.int8:
        raise TypeError(
            f"x must be int8, not {x.dtype}; quantise it first, or pass floats to "
            "hccs.softmax_float or online"
        )
    if x.ndim == 0:
        raise ValueError("x has no dimension (0-d); pass an array with at least one")
    return np.asarray(x)


def checked_mask(mask: object, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
    """`mask` as booleans of the shape of the logits; broadcast, not copied."""
    if mask is None:
        return None
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
        kind = mask.dtype if isinstance(mask, np.ndarray) else type(mask).__name__
        raise TypeError(f"mask must be a NumPy array of bool, True where to keep; got {kind}")
    try:
        return np.broadcast_to(mask, shape)
    except ValueError:
        raise ValueError(
            f"mask has shape {mask.shape}, which doesn't broadcast to that of x, {shape}"
        ) from None


def dtype_named(dtype: DTypeLike) -> np.dtype[Any]:
    """Return `dtype` as NumPy reads it; its SyntaxError for a text becomes a TypeError."""
    try:
        return np.dtype(dtype)
    except SyntaxError:
        raise TypeError(f"out_dtype is {str(dtype)[:40]!r}, which is no dtype") from None


def checked_scales(scale: ArrayLike) -> NDArray[np.float64]:
    """Copy of `scale`, finite and above 0 everywhere, so that nobody changes it meanwhile."""
    try:
        given = np.asarray(scale)
        # Python's own numbers that fit no dtype are objects; None would become NaN.
        objects = given.dtype.kind == "O" and all(hasattr(v, "__float__") for v in given.flat)
        if given.dtype.kind not in "iuf" and not objects:
            raise TypeError
        with np.errstate(all="ignore"):
            value = np.array(given, dtype=np.float64, order="C")
    except OverflowError:
        value = np.array(np.inf)
    except (TypeError, ValueError):
        raise TypeError(f"scale must be a number or an array of them, not {scale!r}") from None
    if not ((value > 0) & (value < np.inf)).all():
        raise ValueError("scale must be finite and above 0 everywhere")
    return value


def checked_out_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """`dtype` if it is one that the operations give."""
    wanted = dtype_named(dtype)
    if wanted not in _RESULTS:
        raise TypeError(f"out_dtype is {wanted}; it may be int16 or uint8")
    return _RESULTS[_RESULTS.index(wanted)]  # the core knows these two objects


def for_rows(
    parameters: NDArray[Any], rows: tuple[int, ...], what: str, each: tuple[int, ...] = ()
) -> NDArray[Any]:
    """Parameters of heads as those of rows, whose last dimension shares them.

    `each` is the shape of one head's parameters.
    """
    shape = parameters.shape[: parameters.ndim - len(each)]
    if not shape:
        return np.broadcast_to(parameters, (*rows, *each))
    heads = parameters.reshape((*shape, 1, *each))
    if len(shape) < max(len(rows), 1):
        try:
            return np.broadcast_to(heads, (*rows, *each))
        except ValueError:
            pass
    raise ValueError(
        f"{what} have shape {shape}, which doesn't broadcast to {rows[:-1]}, the dimensions of x "
        "but the rows and the axis"
    )


def _last(array: NDArray[Any], axis: int) -> NDArray[Any]:
    """`array` with the axis last; moveaxis takes 5 us even where nothing is to be moved."""
    return array if axis == array.ndim - 1 else np.moveaxis(array, axis, -1)


def _adjacent(array: NDArray[Any]) -> bool:
    return bool(array.shape[-1] <= 1 or array.strides[-1] == array.itemsize)


@dataclass(frozen=True)
class Job:
    """The arrays of one call: axis last, elements of a row side by side."""

    x: NDArray[np.int8]
    mask: NDArray[np.bool_] | None
    out: NDArray[Any]
    result: NDArray[Any]  #: what the caller gets
    direct: bool  #: whether `out` is `result` itself

    @property
    def rows(self) -> tuple[int, ...]:
        """Every dimension but the axis."""
        return self.x.shape[:-1]

    def finish(self, axis: int) -> NDArray[Any]:
        """Copy the results to where they belong if they were written elsewhere."""
        if not self.direct:
            np.copyto(_last(self.result, axis), self.out)
        return self.result


def job_of(
    x: NDArray[np.int8],
    axis: int,
    mask: object,
    dtype: np.dtype[Any],
    out: object,
    isa: object,
) -> Job:
    """Check the arguments that every int8 operation has, and lay the arrays out."""
    unmasked = checked_mask(mask, x.shape)
    if isa is not None and not checked_name(isa, "isa"):
        raise ValueError(
            f"isa is empty; leave it out or pass one of: {', '.join(_core.isas(False))}"
        )
    result = (
        np.empty_like(x, dtype=dtype, subok=False) if out is None else _checked_out(out, x, dtype)
    )
    rows = _adjacent_rows(x, axis)
    mask_rows = None if unmasked is None else _adjacent_rows(unmasked, axis)
    target = _last(result, axis)
    shared = out is not None and (
        np.may_share_memory(x, result)
        or (unmasked is not None and np.may_share_memory(unmasked, result))
    )
    direct = _adjacent(target) and target.flags.aligned and _core.lies_apart(target) and not shared
    if not direct:
        target = np.empty(target.shape, dtype)
    return Job(rows, mask_rows, target, result, direct)


def _adjacent_rows(array: NDArray[Any], axis: int) -> NDArray[Any]:
    moved = _last(array, axis)
    return moved if _adjacent(moved) else np.ascontiguousarray(moved)


def _checked_out(out: object, x: NDArray[np.int8], dtype: np.dtype[Any]) -> NDArray[Any]:
    if isinstance(out, np.ma.MaskedArray) or not isinstance(out, np.ndarray):
        raise TypeError(f"out must be a NumPy array, not {type(out).__name__}")
    if out.dtype != dtype:
        raise TypeError(f"out has dtype {out.dtype}; the result is {dtype}")
    if out.shape != x.shape:
        raise ValueError(f"out has shape {out.shape}; the result has {x.shape}")
    if not out.flags.writeable:
        raise ValueError("out is read-only; pass an array that can be written")
    check_apart(np.asarray(out))
    return np.asarray(out)


def axis_of(axis: object, dimensions: int) -> int:
    """`axis`, counted from the front."""
    front: int = int(checked_axis(axis, dimensions)) % dimensions
    return front


def checked_variant(value: object, what: str, op: str) -> str:
    """`value` if the registry has such a variant of an operation."""
    known = _core.variants(op)
    if checked_name(value, what) not in known:
        raise ValueError(f"unknown {what} {value!r}; there are: {', '.join(known)}")
    return str(value)


def checked_table(value: object) -> str:
    """`value` if there is such a table; "auto" is that of the most bits, as in the core."""
    if isinstance(value, str) and value == "auto":
        return _core.variants("int8")[-1]
    return checked_variant(value, "table", "int8")
