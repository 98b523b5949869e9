"""HCCS of int8 logits and of floats, along one axis."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastsoftmax import _core
from fastsoftmax._inputs.checks import checked_array, checked_name, checked_threads
from fastsoftmax._inputs.int8 import (
    axis_of,
    checked_logits,
    checked_mask,
    checked_out_dtype,
    checked_variant,
    dtype_named,
    for_rows,
    job_of,
)
from fastsoftmax._inputs.libraries import on_device
from fastsoftmax._inputs.slow_path import finished
from fastsoftmax._registry import isas
from fastsoftmax.hccs._params import WIDE, Params
from fastsoftmax.hccs._steps import steps


def softmax(
    x: Any,
    params: Params,
    *,
    mode: str = WIDE,
    axis: int = -1,
    mask: Any = None,
    out: Any = None,
    out_dtype: DTypeLike | None = None,
    threads: int | None = None,
    stream: Any = None,
    isa: str | None = None,
) -> Any:
    """HCCS of int8 logits along one axis, in integers throughout.

    Parameters
    ----------
    x : ndarray of int8, any shape with at least one dimension, any strides
        Quantised logits, ``params.scale`` nats a step. Or an array on a CUDA device as `online`
        takes it, rows along the last axis; then `mask` and `out` must be there, too.
    params : Params
        Of shape (), or of one that broadcasts to the dimensions of `x` without its rows and the
        axis: [heads] serves [batch, heads, rows, n].
    mode : str
        ``"wide"`` rounds ``full * s / Z`` to nearest, exactly. ``"i16+div"``, ``"i16+clb"``,
        ``"i8+div"``, ``"i8+clb"`` are the paper's, bit for bit; they need rows of the length that
        the parameters were calibrated for.
    axis : int
        The axis along which the result sums to about full scale.
    mask : ndarray of bool, optional
        True where a position takes part; broadcasts to the shape of `x`.
    out : ndarray, optional
        Where to write the result: any strides, but no two elements in the same place. It may
        overlap the other arrays.
    out_dtype : dtype, optional
        int16 (full scale 32767) or uint8 (255). By default what the mode gives; "wide": int16.
    threads : int, optional
        At most so many threads; the bits don't depend on it.
    stream : optional
        As in `online`, for arrays on a CUDA device.
    isa : str, optional
        Instruction set, one of ``isas()``; for tests and measurements.

    Returns
    -------
    array of int16 or uint8
        Kind and shape of `x`. Positions masked out are 0, and so is a row without an unmasked
        position.

    Raises
    ------
    TypeError
        For an `x` that isn't int8, a mask that isn't boolean, another `out_dtype`.
    ValueError
        For shapes that don't broadcast, an unknown mode or `isa`, parameters that violate a
        condition of the mode (named), rows of another length in the paper's modes. Nothing is
        written then.

    Notes
    -----
    Every instruction set gives the bits of `fastsoftmax.reference.int8.hccs`, which is the formulas
    in NumPy. How far they are from softmax depends on logits and parameters; docs/int8.md has
    measurements. 8-bit results run out of resolution: "i8+div" rounds down, and "wide" gives 0 for
    uniform rows of more than 510.

    References
    ----------
    arXiv 2604.02292.

    Examples
    --------
    >>> import numpy as np
    >>> head = Params(scale=0.1, B=600, S=9, Dmax=63, n=4)
    >>> softmax(np.array([10, 10, -20, -128], dtype=np.int8), head).tolist()
    [12579, 12579, 6918, 692]
    """
    if stream is None and isinstance(params, Params):
        result = _core.hccs(
            x, params.heads, params.n, mode, axis, mask, out, out_dtype, threads, isa
        )
        if result is not False:
            return result
    if on_device(x, stream):
        from fastsoftmax._device import int8 as device

        call = device.Call(x, axis, threads, stream, isa)
        heads = heads_for(params, mode, call.n)
        return device.hccs(call, heads, mode, mask, _dtype_of(mode, out_dtype), out)
    logits = checked_logits(x)
    along = axis_of(axis, logits.ndim)
    mode = checked_variant(mode, "mode", "hccs")
    heads = heads_for(params, mode, logits.shape[along])
    dtype = _dtype_of(mode, out_dtype)
    count = checked_threads(threads)
    job = job_of(logits, along, mask, dtype, out, isa)
    for_rows(heads, job.rows, "params", (3,))  # refuses those that don't fit
    finished(_core.hccs(job.x, heads, params.n, mode, -1, job.mask, job.out, dtype, count, isa))
    return job.finish(along)


@np.errstate(all="ignore")
def softmax_float(
    x: NDArray[Any],
    params: Params,
    *,
    mode: str = WIDE,
    axis: int = -1,
    mask: NDArray[Any] | None = None,
    out_dtype: DTypeLike | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> NDArray[Any]:
    """HCCS of float logits: the distance from the maximum is quantised, not the logits.

    ``d = min(round((max - x) / scale), 255)``, so that no logit saturates however large.

    Parameters
    ----------
    x : ndarray of float32 or float64
        Logits in nats.
    params, mode, axis, threads, isa
        As in `softmax`.
    mask : ndarray of bool or float, optional
        As in `softmax`; floats are added, and those at or below half of ``finfo.min`` mask out.
    out_dtype : dtype, optional
        The dtype of `x` (the default) or another float for the probabilities ``s / Z``; int16 or
        uint8 for the integers of `mode`.

    Returns
    -------
    ndarray
        Shape of `x`. A position of -inf is masked out; a row without an unmasked position is 0. A
        row with NaN or +inf is NaN, which needs a float result.

    Raises
    ------
    TypeError, ValueError
        As in `softmax`; ValueError for NaN or +inf where integers are asked for.

    Examples
    --------
    >>> import numpy as np
    >>> head = Params(scale=0.1, B=600, S=9, Dmax=63, n=4)
    >>> softmax_float(np.array([1.0, 1.0, -2.0, -np.inf]), head).round(3).tolist()
    [0.392, 0.392, 0.216, 0.0]
    """
    logits = checked_array(x, "x")
    along = axis_of(axis, logits.ndim)
    dtype = dtype_named(logits.dtype if out_dtype is None else out_dtype)
    rows = np.moveaxis(logits, along, -1)
    unmasked = np.ones(rows.shape, bool)
    if mask is not None:
        rows, unmasked = _masked(rows, mask, logits.shape, along)
    unmasked &= ~np.isneginf(rows)
    m = np.max(rows, axis=-1, keepdims=True, initial=-np.inf, where=unmasked)
    lost = ~(np.isfinite(m) | np.isneginf(m))
    if dtype.kind != "f" and lost.any():
        raise ValueError("x has NaN or +inf, which integers can't express; ask for a float result")
    quantised = _quantised(rows, np.where(np.isfinite(m), m, 0), unmasked, params)
    mode = checked_variant(mode, "mode", "hccs")
    if dtype.kind != "f":
        p = softmax(
            quantised, params, mode=mode, out_dtype=dtype, mask=unmasked, threads=threads, isa=isa
        )
        return np.moveaxis(p, -1, along)
    heads = heads_for(params, mode, rows.shape[-1])
    checked_threads(threads)
    if isa is not None and checked_name(isa, "isa") not in isas("hccs"):
        raise ValueError(f"isa {isa!r} doesn't run here; these do: {', '.join(isas('hccs'))}")
    B, S, Dmax = np.moveaxis(for_rows(heads, rows.shape[:-1], "params", (3,)), -1, 0)
    d = np.minimum(127 - quantised.astype(np.int64), Dmax[..., None])
    s = np.where(unmasked, B[..., None] - S[..., None] * d, 0)
    z = s.sum(axis=-1, keepdims=True)
    p = np.where(lost, np.nan, s / np.maximum(z, 1)).astype(dtype)
    return np.moveaxis(p, -1, along)


def _quantised(
    rows: NDArray[Any], m: NDArray[Any], unmasked: NDArray[np.bool_], params: Params
) -> Any:
    """Int8 logits whose maximum is 127."""
    scale = for_rows(params.scale, rows.shape[:-1], "params")[..., np.newaxis]
    d = steps(m, np.where(unmasked, rows, m), scale)
    return (127 - np.clip(np.nan_to_num(d, nan=0.0), 0, 255)).astype(np.int8)


def _masked(
    rows: NDArray[Any], mask: NDArray[Any], shape: tuple[int, ...], along: int
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Rows with an additive mask added, and where they take part."""
    if isinstance(mask, np.ndarray) and mask.dtype.kind == "f":
        added = np.moveaxis(np.broadcast_to(mask, shape), along, -1)
        unmasked = added > np.finfo(mask.dtype).min / 2
        return rows + np.where(unmasked, added, 0), unmasked
    found = checked_mask(mask, shape)
    assert found is not None
    return rows, np.moveaxis(found, along, -1).copy()


def _dtype_of(mode: str, asked: DTypeLike | None) -> np.dtype[Any]:
    own = np.dtype(np.uint8 if mode.startswith("i8") else np.int16)
    dtype = own if asked is None else checked_out_dtype(asked)
    if dtype != own and mode != WIDE:
        raise TypeError(f"out_dtype is {dtype}; mode {mode!r} gives {own}")
    return dtype


def heads_for(params: Params, mode: str, n: int) -> NDArray[np.int32]:
    """B, S, Dmax of the heads, in the last dimension, fit for a mode and for rows of n."""
    if not isinstance(params, Params):
        raise TypeError(f"params must be hccs.Params, not {type(params).__name__}")
    if mode != WIDE and n != params.n:
        raise ValueError(
            f"rows have {n} elements, but the parameters were calibrated for n = {params.n}, on "
            f"which mode {mode!r} depends; calibrate for {n}, or use mode {WIDE!r}"
        )
    if n > 0:
        params.check(mode, n)
    heads: NDArray[np.int32] = params.heads
    return heads
