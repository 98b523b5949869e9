"""States of Heinsen attention in ``.npz`` files: arrays only, nothing that could be executed."""

import io
import math
import os
from os import PathLike
from typing import IO, Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastsoftmax import _core
from fastsoftmax._files.npz import MOST_INFLATED, Member, Npz, opened
from fastsoftmax._files.replacing import replacing
from fastsoftmax.heinsen._checks import COMPUTED
from fastsoftmax.heinsen._layout import by_feature, fill, panels, weights
from fastsoftmax.heinsen._memory import Memory

Held = TypeVar("Held", bound=Memory)
#: What a file holds of the values, by what `State.kind` says of them.
CARRIED = {"none": "A", "v": "A", "log_v": "MS"}
_ENDING = ".npz"
_MOST_AXES = 64
#: A state takes fewer than so many times the bytes of its file: widths are padded to whole blocks.
_PADDING = 1024


class Stored(Memory):
    """A memory that goes into files and pickles."""

    __slots__ = ()

    def save(self, file: str | PathLike[str] | IO[bytes]) -> None:
        """Write what the state holds to a ``.npz`` file, which `load` reads.

        At a path is the old file or all of the new one, whatever happens. A symbolic link is
        followed, and the mode of an old file is kept.

        Parameters
        ----------
        file : str, PathLike or file open for writing bytes
            Nothing is added to a name.

        Raises
        ------
        OSError
            If it can't be written; the old file is as it was.
        """
        write(self, file)

    @classmethod
    def load(cls, file: str | PathLike[str] | IO[bytes]) -> Self:
        """Read what `save` wrote, and check its sizes and numbers; nothing in it is executed.

        Parameters
        ----------
        file : str, PathLike or file open for reading bytes
            To a path that doesn't exist ``.npz`` is added.

        Returns
        -------
        State

        Raises
        ------
        OSError
            For a file that can't be read.
        ValueError
            For a file of another kind, one that is damaged, or one that inflates to more than 2^31
            bytes.
        """
        return read(cls, file)

    def __getstate__(self) -> bytes:
        """Pickle as the bytes that `save` writes."""
        file = io.BytesIO()
        write(self, file)
        return file.getvalue()

    def __setstate__(self, data: object) -> None:
        """Take what `__getstate__` gave, checked as `load` does."""
        if not isinstance(data, bytes):
            raise ValueError(f"a pickled State is bytes, not {type(data).__name__}")
        found = read(type(self), io.BytesIO(data))
        for name in Memory.__slots__:
            setattr(self, name, getattr(found, name))


def write(state: Memory, file: str | PathLike[str] | IO[bytes]) -> None:
    """Write m, z, and A or M and S of a state."""
    if isinstance(file, (str, bytes, PathLike)):
        with replacing(file) as stream:
            np.savez(stream, **_arrays(state))
    else:
        np.savez(file, **_arrays(state))


def _arrays(state: Memory) -> dict[str, Any]:
    kind = state._kind or "none"
    m, z = (part[:, : state.d_k] for part in weights(state._settled(), state.d_k))
    carried = panels(state._settled(), state.d_k, state.d_v, kind == "log_v")
    arrays = {
        name: by_feature(part, state.d_k, state.d_v)
        for name, part in zip(CARRIED[kind], carried, strict=False)
    }
    batch = np.array(state.batch_shape, np.int64)
    return {"batch_shape": batch, "values": np.array(kind), "m": m, "z": z} | arrays


def read(kind_of: type[Held], file: str | PathLike[str] | IO[bytes]) -> Held:
    """Read a state, or refuse in words what isn't one."""
    if isinstance(file, (str, PathLike)) and not os.path.exists(file):
        # NumPy's own functions, and earlier releases, add the ending to names without it.
        other = os.fsdecode(file) + _ENDING
        file = other if os.path.exists(other) else file
    with opened(file, "saved State") as found:
        return _filled(kind_of, found)


def _filled(kind_of: type[Held], found: Npz) -> Held:
    kind = _kind(found)
    names = CARRIED[kind]
    headers = found.headers("batch_shape", "m", "z", *names)
    batch = _batch(found, headers["batch_shape"])
    d_k, d_v = _widths(headers, names, math.prod(batch))
    size = _core.heinsen_size(d_k, d_v, kind == "log_v") * headers["m"].dtype.itemsize
    if max(math.prod(batch), 1) * size > MOST_INFLATED + _PADDING * found.stored(*headers):
        raise ValueError(f"its state would take more than {MOST_INFLATED} bytes")
    arrays = {name: found.array(name) for name in ("m", "z", *names)}
    initial: Any = "zeros" if kind == "none" and np.any(arrays["z"]) else "empty"
    new = kind_of(batch, d_k, d_v, initial=initial, dtype=headers["m"].dtype)
    _check_numbers(_arrays(new), arrays, kind)
    if kind != "none":
        new._become(kind)
    for part, name in zip(weights(new._data, d_k), "mz", strict=True):
        part[:, :d_k] = arrays[name]
    for part, name in zip(panels(new._data, d_k, d_v, kind == "log_v"), names, strict=False):
        fill(part, arrays[name])
    return new


def _kind(found: Npz) -> str:
    """Return what the file says of its values."""
    header = found.headers("values")["values"]
    if header.shape != () or header.dtype.kind != "U" or header.size > 64:
        raise ValueError("its values are no name")
    kind = str(found.array("values"))
    if kind not in CARRIED:
        raise ValueError(f"its values are {kind!r}")
    return kind


def _batch(found: Npz, header: Member) -> tuple[int, ...]:
    if len(header.shape) != 1 or header.shape[0] > _MOST_AXES or header.dtype.kind not in "iu":
        raise ValueError(f"batch_shape is {header.dtype} {header.shape}, no list of few integers")
    batch = tuple(found.array("batch_shape").tolist())
    if min(batch, default=0) < 0:
        raise ValueError(f"batch_shape is {batch}; sizes must not be negative")
    return batch


def _widths(headers: dict[str, Member], names: str, heads: int) -> tuple[int, int]:
    """Return d_k and d_v, on which all arrays must agree."""
    first = headers[names[0]]
    if len(first.shape) != 3:
        raise ValueError(f"{names[0]} has {len(first.shape)} dimensions, not 3")
    _, d_k, d_v = first.shape
    if not (d_k and d_v and d_k * d_v <= MOST_INFLATED) or first.dtype not in COMPUTED:
        raise ValueError(f"{names[0]} is {first.dtype} {first.shape}")
    wanted = {"m": (heads, d_k), "z": (heads, d_k)} | {name: (heads, d_k, d_v) for name in names}
    for name, shape in wanted.items():
        if headers[name].shape != shape or headers[name].dtype != first.dtype:
            raise ValueError(f"{name} is {headers[name].dtype} {headers[name].shape}")
    return d_k, d_v


def _check_numbers(empty: dict[str, Any], arrays: dict[str, NDArray[Any]], kind: str) -> None:
    """Refuse numbers that no tokens leave behind; NaN and inf they may."""
    if kind == "none":
        wrong = [name for name, value in arrays.items() if not np.array_equal(value, empty[name])]
    else:
        wrong = [name for name in arrays if name in "zS" and (arrays[name] < 0).any()]
        wrong += ["m"] if (arrays["m"] < empty["m"]).any() else []
    if wrong:
        raise ValueError(f"{wrong[0]} has numbers that no tokens leave behind")
