"""Queries, keys and values of Heinsen attention, checked, or refused in words."""

import operator
from collections.abc import Iterable
from typing import Any, Literal, SupportsIndex

import numpy as np
from numpy.typing import DTypeLike, NDArray

#: Values, or their logarithms: what the tokens of a state bring.
Kind = Literal["v", "log_v"]
COMPUTED = (np.dtype(np.float32), np.dtype(np.float64))


class Settled:
    """A state's sizes, dtype and kind, which are set once: the memory of a state follows from them.

    That holds for all attributes without an underscore.
    """

    __slots__ = ()
    _kind: Kind | None

    @property
    def kind(self) -> Kind | None:
        """What the state mixes: ``"v"``, ``"log_v"``, or None before its first tokens."""
        return self._kind

    def _check_kind(self, kind: str) -> None:
        if self._kind not in (None, kind):
            raise ValueError(
                f"this state has taken {self._kind}, so it can't take {kind}; use another State"
            )

    def __setattr__(self, name: str, value: object) -> None:
        if not name.startswith("_") and hasattr(self, name):
            raise AttributeError(
                f"{name} of a {type(self).__name__} can't be changed; make another one"
            )
        super().__setattr__(name, value)


def is_half(array: NDArray[Any]) -> bool:
    """Whether elements have 16 bits: converted to float32, exactly."""
    # the name of a dtype takes longer than an attention of few tokens
    return array.itemsize == 2 and (array.dtype == np.float16 or array.dtype.name == "bfloat16")


def checked_floats(value: object, name: str) -> NDArray[Any]:
    """`value` as an array of native floats."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} is a MaskedArray, whose mask would be lost; pass {name}.data")
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{name} must be a NumPy array, not {type(value).__name__}")
    if not (is_half(value) or value.dtype in COMPUTED) or not value.dtype.isnative:
        raise TypeError(
            f"{name} must be float16, bfloat16, float32 or float64, not {value.dtype}; pass "
            f"{name}.astype(np.float32)"
        )
    return value


def checked_tokens(
    value: object, name: str, batch: tuple[int, ...], width: int, dtype: np.dtype[Any]
) -> NDArray[Any]:
    """`value` of shape batch + (width,) or batch + (n, width), packed, aligned and of `dtype`."""
    array = checked_floats(value, name)
    single, rank = (*batch, width), len(batch)
    if array.shape != single and not (
        array.ndim == rank + 2 and array.shape[:rank] == batch and array.shape[-1] == width
    ):
        shown = ", ".join([*map(str, batch), "n", str(width)])
        raise ValueError(
            f"{name} has shape {array.shape}; this state takes {single}, one token, or ({shown}), "
            "a chunk of n"
        )
    if array.dtype != dtype and not is_half(array):
        raise TypeError(
            f"{name} is {array.dtype}, the state {dtype}; pass {name}.astype(np.{dtype})"
        )
    packed = np.ascontiguousarray(array, dtype=dtype)
    return packed if packed.flags.aligned else packed.copy()


def checked_values(v: object, log_v: object) -> tuple[Kind, object]:
    """Return the name and the array of the one that is given."""
    if v is None and log_v is None:
        raise TypeError("values are missing: pass v, or their logarithms as log_v")
    if v is not None and log_v is not None:
        raise TypeError("v and log_v are both given; pass the values, or their logarithms")
    return ("v", v) if log_v is None else ("log_v", log_v)


def checked_same_tokens(arrays: dict[str, NDArray[Any]], rank: int) -> None:
    """See that all have as many tokens, or are all single tokens."""
    seen = {name: array.shape[rank:-1] for name, array in arrays.items()}
    if len(set(seen.values())) > 1:
        told = ", ".join(
            f"{name} {shape[0] if shape else 'a single token'}" for name, shape in seen.items()
        )
        raise ValueError(f"numbers of tokens differ: {told}; they must be the same")


def checked_batch(batch_shape: Iterable[SupportsIndex]) -> tuple[int, ...]:
    """`batch_shape` as a tuple of so many sizes that an array can have them and two more."""
    try:
        batch = tuple(operator.index(size) for size in batch_shape)
    except TypeError:
        raise TypeError(f"batch_shape must be a tuple of integers, not {batch_shape!r}") from None
    if any(size < 0 for size in batch):
        raise ValueError(f"batch_shape is {batch}; sizes must not be negative")
    try:
        np.empty((0,) * (len(batch) + 2))
    except ValueError:
        raise ValueError(
            f"batch_shape has {len(batch)} sizes; with tokens and features these are more than an "
            "array of NumPy has dimensions"
        ) from None
    return batch


def checked_size(value: object, name: str) -> int:
    """`value` as the width of a feature vector."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be an integer, not {value!r}")
    if value < 1:
        raise ValueError(f"{name} is {value}; it must be at least 1")
    return int(value)


def checked_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """`dtype` as that of a state."""
    wanted = np.dtype(dtype)
    if wanted not in COMPUTED or not wanted.isnative:
        raise TypeError(f"a state is float32 or float64, not {wanted}; half tokens go into float32")
    return wanted


def log_of(y: NDArray[Any]) -> NDArray[Any]:
    """Return log y, unless a mixture is negative."""
    if np.any(y < 0):
        raise ValueError(
            "log_output=True, but a mixture of values is negative and has no real logarithm; "
            "leave log_output out, or pass values >= 0"
        )
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(y))
