"""How the compiled core lays states out in memory, for what Python does with them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsoftmax import _core
from fastsoftmax._inputs.checks import checked_bytes

#: Features, columns and tokens come in blocks of so many.
BLOCK: int = _core.heinsen_layout["block"]
#: Tokens that may wait to be added.
WAITING: int = _core.heinsen_layout["waiting"]
#: A cache line, in bytes: a vector across two of them costs two accesses.
LINE: int = _core.heinsen_layout["line"]
#: A panel holds A; in a state of logarithms it holds M, S, and what S is too large by.
PLANES = {"v": 1, "log_v": 3}
#: Stands for -inf in float64 where a difference has to stay a number.
LOWEST: float = _core.heinsen_layout["float64"]["lowest"]
#: What queries in float64 are raised to.
FLOOR: float = _core.heinsen_layout["float64"]["floor"]
#: From here down lies the logarithm of nothing: the core keeps it finite.
NOTHING: dict[np.dtype[Any], float] = {
    np.dtype(name): _core.heinsen_layout[name]["nothing"] for name in ("float32", "float64")
}


def padded(width: int) -> int:
    """`width` in whole blocks."""
    return -(-width // BLOCK) * BLOCK


def empty(shape: tuple[int, int], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return room for states that begins with a cache line, as then every row of A does."""
    size = checked_bytes(shape, dtype.itemsize, "a state of this batch_shape, d_k and d_v")
    space = np.empty(size + LINE, np.uint8)
    begin = -space.ctypes.data % LINE
    return space[begin : begin + size].view(dtype).reshape(shape)


def _head(d_k: int) -> int:
    """Elements before the panels: m, z, the number of waiting tokens, their weights.

    A state of logarithms has the excess of z in place of the weights.
    """
    return padded(d_k) * (2 + WAITING) + BLOCK


def weights(data: NDArray[Any], d_k: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return views of m and z, ``[heads, padded d_k]``."""
    rows = padded(d_k)
    return data[:, :rows], data[:, rows : 2 * rows]


def excess(data: NDArray[Any], d_k: int) -> NDArray[Any]:
    """Return a view of what z of a state of logarithms is too large by, ``[heads, padded d_k]``."""
    rows = padded(d_k)
    return data[:, 2 * rows + BLOCK : 3 * rows + BLOCK]


def panels(data: NDArray[Any], d_k: int, d_v: int, log_values: bool) -> list[NDArray[Any]]:
    """Return views ``[heads, panels, padded d_k, 16]`` of A, or of M, S and S's excess.

    No token may be waiting.
    """
    rows, count, begin = padded(d_k), padded(d_v) // BLOCK, _head(d_k)
    each = data.shape[1] - begin
    mixed = data[:, begin:].reshape(len(data), count, each // (count * BLOCK), BLOCK)
    planes = PLANES["log_v" if log_values else "v"]
    return [mixed[:, :, plane * rows : (plane + 1) * rows] for plane in range(planes)]


def by_feature(panel: NDArray[Any], d_k: int, d_v: int) -> NDArray[Any]:
    """Copy panels into ``[heads, d_k, d_v]``."""
    heads, count, rows, width = panel.shape
    whole = panel.transpose(0, 2, 1, 3).reshape(heads, rows, count * width)
    return np.ascontiguousarray(whole[:, :d_k, :d_v])


def fill(panel: NDArray[Any], values: NDArray[Any]) -> None:
    """Copy ``[heads, d_k, d_v]`` into panels; what pads them stays."""
    d_k, d_v = values.shape[1:]
    for j in range(0, d_v, BLOCK):
        part = values[:, :, j : j + BLOCK]
        panel[:, j // BLOCK, :d_k, : part.shape[2]] = part
