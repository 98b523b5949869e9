"""Softmax of int8 logits by a table of exp: no calibration, integers throughout."""

import operator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fastsoftmax import _core
from fastsoftmax._inputs.checks import checked_threads
from fastsoftmax._inputs.int8 import (
    axis_of,
    checked_logits,
    checked_out_dtype,
    checked_scales,
    checked_table,
    for_rows,
    job_of,
)
from fastsoftmax._inputs.libraries import on_device
from fastsoftmax._inputs.slow_path import finished

__all__ = ["error_bound", "softmax"]

#: By bits of an entry: how far it is from exp, apart from what the rounding of a result covers.
_ENTRY_ERRORS = (2.1e-3, 3.1e-5)
_ROUNDING = {255: 0.6, 32767: 2.5}  #: of a result, in its units


def error_bound(n: int, *, table: str = "auto", out_dtype: DTypeLike = np.uint8) -> float:
    """How far a result of `softmax` can be from softmax in rows of n, in units of the result.

    Parameters
    ----------
    n : int
        Elements of a row that take part, not negative.
    table, out_dtype
        As in `softmax`.

    Returns
    -------
    float
        The bound of ``abs(softmax(x, scale) - full * p)``, where p is the softmax of ``scale * x``
        and full is 255 (uint8) or 32767 (int16): ``rounding + full * m * E / (1 + m * E)`` with
        m = n - 1, E = 2.1e-3 (u8) or 3.1e-5 (u16), and 0.6 (uint8) or 2.5 (int16) for rounding. It
        holds for every scale and all logits, and some rows come half as far at least.

    Raises
    ------
    TypeError
        For an `n` that isn't an integer, another `out_dtype`.
    ValueError
        For an `n` below 0, an unknown table.

    Notes
    -----
    E bounds the distance of an entry from its weight. In the worst row one logit is high, and all
    others lie where the entry just rounds to 0 from a weight of E: the sum lacks m * E then.

    Examples
    --------
    >>> [round(error_bound(n), 1) for n in (1, 128, 4096)]
    [0.6, 1.6, 29.3]
    >>> round(error_bound(128, table="u8"), 1)
    54.3
    """
    try:
        others = operator.index(n) - 1
    except TypeError:
        raise TypeError(f"n must be an integer, not {n!r}") from None
    if others < -1:
        raise ValueError(f"n is {n}; a row has 0 elements at least")
    full = int(np.iinfo(checked_out_dtype(out_dtype)).max)
    known = _core.variants("int8")
    lost = min(max(others, 0), 1 << 62) * _ENTRY_ERRORS[known.index(checked_table(table))]
    return _ROUNDING[full] + full * lost / (1 + lost)


def softmax(
    x: Any,
    scale: ArrayLike,
    *,
    table: str = "auto",
    axis: int = -1,
    mask: Any = None,
    out: Any = None,
    out_dtype: DTypeLike = np.uint8,
    threads: int | None = None,
    stream: Any = None,
    isa: str | None = None,
) -> Any:
    """Softmax of ``scale * x`` along one axis, with exp taken from a table.

    Parameters
    ----------
    x : ndarray of int8, any shape with at least one dimension, any strides
        Quantised logits. Or an array on a CUDA device as `online` takes it, rows along the last
        axis; then `mask` and `out` must be there, too.
    scale : float or array of float
        Nats for one step of `x`, finite and above 0: one for all, or of a shape that broadcasts
        to the dimensions of `x` without its rows and the axis, [heads] for [batch, heads, rows, n].
    table : str
        ``"u8"``: entries of 8 bits, ``"u16"``: of 15. ``"auto"``: of 15, since 8 bits leave more
        than a unit of uint8 uncertain from 3 elements on.
    axis : int
        The axis along which the result sums to about full scale.
    mask : ndarray of bool, optional
        True where a position takes part; broadcasts to the shape of `x`.
    out : ndarray, optional
        Where to write the result: any strides, but no two elements in the same place. It may
        overlap the other arrays.
    out_dtype : dtype
        uint8 (full scale 255) or int16 (32767).
    threads : int, optional
        At most so many threads; the bits don't depend on it.
    stream : optional
        As in `online`, for arrays on a CUDA device.
    isa : str, optional
        Instruction set, one of ``isas()``; for tests and measurements.

    Returns
    -------
    array of uint8 or int16
        Kind and shape of `x`. Positions masked out are 0, and so is a row without an unmasked
        position.

    Raises
    ------
    TypeError
        For an `x` that isn't int8, a mask that isn't boolean, another `out_dtype`.
    ValueError
        For shapes that don't broadcast, a scale that isn't above 0, an unknown table or `isa`.
        Nothing is written then.

    Notes
    -----
    Every instruction set gives the bits of `fastsoftmax.reference.int8.int8_softmax`, which is the
    formulas in NumPy. The result is within `error_bound` units of the softmax of ``scale * x``.
    That grows with the length of a row, as weights that round to 0 in the table are lost, however
    many there are. Rows of more than 510 equal logits are 0 in uint8.

    Examples
    --------
    >>> import numpy as np
    >>> softmax(np.array([30, 30, 0, -128], dtype=np.int8), 0.1).tolist()
    [124, 124, 6, 0]
    """
    if stream is None:
        result = _core.int8_softmax(x, scale, table, axis, mask, out, out_dtype, threads, isa)
        if result is not False:
            return result
    dtype = checked_out_dtype(out_dtype)
    table = checked_table(table)
    away = on_device(x, stream)
    if not away:
        logits = checked_logits(x)
        along = axis_of(axis, logits.ndim)
    scales = checked_scales(scale)
    if away:
        from fastsoftmax._device import int8 as device

        call = device.Call(x, axis, threads, stream, isa)
        return device.softmax(call, scales, table, mask, dtype, out)
    count = checked_threads(threads)
    job = job_of(logits, along, mask, dtype, out, isa)
    for_rows(scales, job.rows, "the scales")  # refuses those that don't fit
    finished(_core.int8_softmax(job.x, scales, table, -1, job.mask, job.out, dtype, count, isa))
    return job.finish(along)
