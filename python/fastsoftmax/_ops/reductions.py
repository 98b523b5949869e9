"""The state of online softmax, and the logarithm of the sum."""

from typing import Any

import numpy as np

from fastsoftmax import _core
from fastsoftmax._inputs.libraries import Operand, on_device
from fastsoftmax._inputs.slow_path import reduced


def normalizer(
    logits: Any,
    variant: str = "exact",
    *,
    axis: int = -1,
    scale: float = 1.0,
    mask: Any = None,
    sink: Any = None,
    threads: int | None = None,
    stream: Any = None,
    isa: str | None = None,
) -> tuple[Any, Any]:
    """Compute the state of online softmax: ``m = max(z)`` and ``s = sum(h(z - m))`` along one axis.

    z is ``scale * logits + mask``. States merge: ``(m1, s1) + (m2, s2) = (M, s1*exp(m1 - M) +
    s2*exp(m2 - M))`` with M the larger maximum, so a sum can be split over chunks, threads or
    machines.

    Parameters
    ----------
    logits, variant, axis, scale, mask, sink, threads, stream, isa
        As in `online`; a sink is one more logit of its row.

    Returns
    -------
    m, s : array (NumPy: a scalar each for one-dimensional input)
        Shape of `logits` without `axis`, and its kind; float32 for half types, since s may be
        large, else the dtype of `logits`. Nothing to add up: (-inf, 0). A NaN in the row: (NaN,
        NaN). +inf in the row: (+inf, NaN).

    Raises
    ------
    TypeError, ValueError
        As in `online`.

    Notes
    -----
    Error of s for ``"exact"``: relative 5e-7 (float32), 4e-15 (float64).

    Examples
    --------
    >>> import numpy as np
    >>> m, s = normalizer(np.zeros(4, dtype=np.float32))
    >>> float(m), float(s)
    (0.0, 4.0)
    """
    if stream is None:
        result = _core.normalizer(logits, variant, axis, scale, mask, sink, threads, isa, False)
        if result is not False:
            return result[0][()], result[1][()]
    if on_device(logits, stream):
        from fastsoftmax._device import rows

        return rows.reduced(
            "normalizer", logits, variant, axis, scale, mask, sink, threads, stream, isa
        )
    (m, s), x = reduced(_core.normalizer, logits, variant, axis, scale, mask, sink, threads, isa)
    return _wrapped(m, x), _wrapped(s, x)


def logsumexp(
    logits: Any,
    variant: str = "exact",
    *,
    axis: int = -1,
    scale: float = 1.0,
    mask: Any = None,
    sink: Any = None,
    threads: int | None = None,
    stream: Any = None,
    isa: str | None = None,
) -> Any:
    """``log(sum(exp(z)))`` along one axis, as ``m + log(s)`` with the state of `normalizer`.

    Parameters
    ----------
    logits, variant, axis, scale, mask, sink, threads, stream, isa
        As in `online`; a sink is one more logit of its row.

    Returns
    -------
    array (NumPy: a scalar for one-dimensional input)
        Shape of `logits` without `axis`, its kind and dtype, in nats. -inf where there is nothing
        or only -inf, +inf where there is +inf, NaN where there is a NaN.

    Raises
    ------
    TypeError, ValueError
        As in `online`.

    Notes
    -----
    Error of ``"exact"``: 5e-7 (float32) or 4e-15 (float64) absolute from s, plus the rounding of
    the result.

    Examples
    --------
    >>> import numpy as np
    >>> float(logsumexp(np.log(np.array([1.0, 2.0, 5.0])))) - float(np.log(8.0)) < 1e-15
    True
    """
    if stream is None:
        result = _core.logsumexp(logits, variant, axis, scale, mask, sink, threads, isa, False)
        if result is not False:
            return _rounded(result, logits.dtype)[()]
    if on_device(logits, stream):
        from fastsoftmax._device import rows

        return rows.reduced(
            "logsumexp", logits, variant, axis, scale, mask, sink, threads, stream, isa
        )[0]
    total, x = reduced(_core.logsumexp, logits, variant, axis, scale, mask, sink, threads, isa)
    return _wrapped(_narrowed(total, x), x, x.bfloats)


def _narrowed(total: Any, x: Operand) -> Any:
    """Float32 results in the dtype of the logits, rounded to nearest."""
    if not x.bfloats:
        return _rounded(total, x.array.dtype)
    bits = np.atleast_1d(total).view(np.uint32)  # NumPy warns where a scalar's sum wraps
    rounded = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).reshape(total.shape)
    return np.where(np.isnan(total), 0x7FC0, rounded).astype(np.uint16)


def _rounded(total: Any, dtype: Any) -> Any:
    if total.dtype == dtype:
        return total
    with np.errstate(all="ignore"):  # beyond a half's largest number lies its infinity
        return total.astype(dtype)


def _wrapped(result: Any, x: Operand, bfloats: bool = False) -> Any:
    wrapped = x.wrap(result) if bfloats or not x.bfloats else x.wrap_float(result)
    return wrapped[()] if isinstance(wrapped, np.ndarray) else wrapped
