"""States of Heinsen attention in ``.npz`` files: arrays only, nothing that could be executed."""

import io
from os import PathLike
from typing import IO, TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from fastsoftmax.heinsen._state import State

Held = TypeVar("Held", bound="State")


def write(state: "State", file: str | PathLike[str] | IO[bytes]) -> None:
    """Write m, z and A of a state."""
    m, z, A = state._parts()
    np.savez(file, batch_shape=np.array(state.batch_shape, np.int64), m=m, z=z, A=A)


def read(kind: type[Held], file: str | PathLike[str] | IO[bytes]) -> Held:
    """Read a state, or refuse in words what isn't one."""
    with np.load(file, allow_pickle=False) as found:
        missing = {"batch_shape", "m", "z", "A"} - set(found.files)
        if missing:
            raise ValueError(f"no saved State: the file lacks {', '.join(sorted(missing))}")
        batch, m, z, A = (found[name] for name in ("batch_shape", "m", "z", "A"))
    if A.ndim != 3:
        raise ValueError(f"no saved State: A has {A.ndim} dimensions, not 3")
    new = kind(tuple(batch.tolist()), A.shape[1], A.shape[2], dtype=A.dtype)
    for name, part, value in zip("mzA", new._parts(), (m, z, A), strict=True):
        if part.shape != value.shape or part.dtype != value.dtype:
            raise ValueError(f"no saved State: {name} is {value.dtype} {value.shape}")
        part[...] = value
    return new


def to_bytes(state: "State") -> bytes:
    """Return the bytes of a file."""
    file = io.BytesIO()
    write(state, file)
    return file.getvalue()


def from_bytes(kind: type[Held], data: bytes) -> Any:
    """Return the state in the bytes of a file."""
    return read(kind, io.BytesIO(data))
