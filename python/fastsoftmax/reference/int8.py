"""The int8 operations in plain NumPy, to the letter: what the compiled kernels must equal.

Axis last, one head; `mask` True where a position takes part.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["distances", "hccs", "int8_softmax", "table"]


def distances(x: NDArray[np.int8], mask: NDArray[np.bool_]) -> Any:
    """Distances of the logits from the maximum of their row.

    Parameters
    ----------
    x : ndarray of int8
        Logits.
    mask : ndarray of bool
        True where a position takes part.

    Returns
    -------
    ndarray of int64
        Shape of `x`; 0 where masked out.
    """
    wide = x.astype(np.int64)
    m = np.max(wide, axis=-1, keepdims=True, initial=-128, where=mask)
    return np.where(mask, m - wide, 0)


def hccs(
    x: NDArray[np.int8],
    B: int,
    S: int,
    Dmax: int,
    mode: str,
    *,
    full: int = 32767,
    mask: NDArray[np.bool_] | None = None,
) -> Any:
    """HCCS in one of its modes.

    Parameters
    ----------
    x, mask
        As in `distances`; without a mask all positions take part.
    B, S, Dmax : int
        As in `fastsoftmax.hccs.Params`.
    mode : str
        As in `fastsoftmax.hccs.softmax`.
    full : int
        Full scale of mode "wide"; the others have their own.

    Returns
    -------
    ndarray of int64
        Shape of `x`.
    """
    unmasked = np.broadcast_to(True if mask is None else mask, x.shape)
    s = np.where(unmasked, B - S * np.minimum(distances(x, unmasked), Dmax), 0)
    z = np.maximum(s.sum(axis=-1, keepdims=True), 1)
    k = np.frexp(z)[1] - 1  # floor(log2 z)
    if mode == "i16+div":  # by name: each mode has its formula
        return np.minimum(s * (32767 // z), 32767)
    if mode == "i16+clb":  # by name: each mode has its formula
        return np.minimum(s * (32767 >> k), 32767)
    if mode == "i8+div":  # by name: each mode has its formula
        return np.minimum((s * np.minimum((255 << 15) // z, 32767)) >> 15, 255)
    if mode == "i8+clb":  # by name: each mode has its formula
        return np.minimum((s * np.minimum(255 << (15 - k), 32767)) >> 15, 255)
    return (2 * full * s + z) // (2 * z)


@np.errstate(all="ignore")
def table(scale: float, bits: int) -> Any:
    """Entries for the distances 0 to 255: a product of two tables of sixteen.

    Parameters
    ----------
    scale : float
        Nats for one step.
    bits : int
        Of an entry, 8 or 15.

    Returns
    -------
    ndarray of int64
    """
    i = np.arange(16)
    a = np.rint(32767 * np.exp(-scale * (16 * i))).astype(np.int64)
    b = np.rint(32767 * np.exp(-scale * i)).astype(np.int64)
    entries = (a[:, None] * b + 0x4000).ravel() >> 15
    return entries if bits == 15 else (255 * entries + 0x4000) >> 15


def int8_softmax(
    x: NDArray[np.int8],
    scale: float,
    bits: int,
    full: int,
    mask: NDArray[np.bool_] | None = None,
) -> Any:
    """Softmax by the table.

    Parameters
    ----------
    x, mask
        As in `distances`; without a mask all positions take part.
    scale, bits
        As in `table`.
    full : int
        Full scale of the result, 255 or 32767.

    Returns
    -------
    ndarray of int64
        Shape of `x`.
    """
    unmasked = np.broadcast_to(True if mask is None else mask, x.shape)
    e = np.where(unmasked, table(scale, bits)[distances(x, unmasked)], 0)
    halvings = max(0, int(np.ceil(np.log2(max(x.shape[-1], 1) / (1 << (31 - bits))))))
    halved = -(-e.sum(axis=-1, keepdims=True) >> halvings)  # upwards
    z = np.maximum(halved, 1).astype(np.float32)
    fraction, exponent = np.frexp(z)
    extra = 7 if full == 255 else 0
    k = exponent.astype(np.int64) - 1 + halvings + extra - bits
    numerator: Any = np.float32(full << extra)
    q = (numerator / (2 * fraction) + np.float32(0.5)).astype(np.int64)
    q = np.where(k < 0, 2 * q, q)
    k = np.maximum(k, 0)
    half = np.where(k > 0, (1 << np.minimum(k, 40)) >> 1, 0)
    return np.minimum(((e * q >> bits) + half) >> np.minimum(k, 40), full)
