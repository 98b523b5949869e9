"""States of Heinsen attention in ``.npz`` files: arrays only, nothing that could be executed."""

import io
from os import PathLike
from typing import IO, TYPE_CHECKING, Any, TypeVar

import numpy as np

from fastsoftmax.heinsen._layout import by_feature, fill, panels, weights

if TYPE_CHECKING:
    from fastsoftmax.heinsen._state import State

Held = TypeVar("Held", bound="State")
#: What a file holds of the values, by what `State.kind` says of them.
CARRIED = {"none": "A", "v": "A", "log_v": "MS"}


def write(state: "State", file: str | PathLike[str] | IO[bytes]) -> None:
    """Write m, z, and A or M and S of a state."""
    kind = state._kind or "none"
    names = CARRIED[kind]
    m, z = (part[:, : state.d_k] for part in weights(state._settled(), state.d_k))
    carried = panels(state._settled(), state.d_k, state.d_v, kind == "log_v")
    arrays: dict[str, Any] = {
        name: by_feature(part, state.d_k, state.d_v)
        for name, part in zip(names, carried, strict=False)
    }
    batch = np.array(state.batch_shape, np.int64)
    np.savez(file, batch_shape=batch, values=np.array(kind), m=m, z=z, **arrays)


def _arrays(file: str | PathLike[str] | IO[bytes]) -> tuple[str, dict[str, Any]]:
    """Return the kind and the arrays of a file, or refuse it."""
    with np.load(file, allow_pickle=False) as found:
        arrays = {name: found[name] for name in found.files}
    kind = str(arrays.get("values", "?"))
    wanted = {"batch_shape", "values", "m", "z", *CARRIED.get(kind, "A")}
    if missing := wanted - arrays.keys():
        raise ValueError(f"no saved State: the file lacks {', '.join(sorted(missing))}")
    if kind not in CARRIED:
        raise ValueError(f"no saved State: its values are {kind!r}")
    return kind, arrays


def read(kind_of: type[Held], file: str | PathLike[str] | IO[bytes]) -> Held:
    """Read a state, or refuse in words what isn't one."""
    kind, arrays = _arrays(file)
    names = CARRIED[kind]
    for name in names:
        if arrays[name].ndim != 3:
            raise ValueError(f"no saved State: {name} has {arrays[name].ndim} dimensions, not 3")
    d_k, d_v = arrays[names[0]].shape[1:]
    batch = tuple(arrays["batch_shape"].tolist())
    new = kind_of(batch, d_k, d_v, dtype=arrays[names[0]].dtype)
    if kind != "none":
        new._become(kind)
    heads = len(new._data)
    wanted = {"m": (heads, d_k), "z": (heads, d_k)} | {name: (heads, d_k, d_v) for name in names}
    for name, shape in wanted.items():
        value = arrays[name]
        if value.shape != shape or value.dtype != new.dtype:
            raise ValueError(f"no saved State: {name} is {value.dtype} {value.shape}")
    for part, name in zip(weights(new._data, d_k), "mz", strict=True):
        part[:, :d_k] = arrays[name]
    for part, name in zip(panels(new._data, d_k, d_v, kind == "log_v"), names, strict=False):
        fill(part, arrays[name])
    new._zeros = bool(np.any(arrays["z"])) if kind == "none" else False
    return new


def to_bytes(state: "State") -> bytes:
    """Return the bytes of a file."""
    file = io.BytesIO()
    write(state, file)
    return file.getvalue()


def from_bytes(kind_of: type[Held], data: bytes) -> Any:
    """Return the state in the bytes of a file."""
    return read(kind_of, io.BytesIO(data))
