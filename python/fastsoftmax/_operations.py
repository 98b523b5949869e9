"""The public operations.

Each tries the compiled core at once. The core returns False for what isn't the plain case; the
second half of each function then words the error, or prepares the arguments and calls it again.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsoftmax import _core
from fastsoftmax._arrays import (
    checked_array,
    checked_axis,
    checked_name,
    checked_out,
    checked_threads,
)


def online(
    logits: NDArray[Any],
    variant: str = "exact",
    *,
    axis: int = -1,
    out: NDArray[Any] | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> NDArray[Any]:
    """Softmax over one axis: ``h(x - max) / sum(h(x - max))``, with h exp or a surrogate of it.

    Parameters
    ----------
    logits : ndarray of float32 or float64, any shape with at least one dimension, any strides
        Scores in nats. Rows along `axis` that don't lie side by side in memory go through a small
        scratch buffer.
    variant : str
        One of ``variants()``. float64 knows ``"exact"`` only.
    axis : int
        The axis along which the result sums to one.
    out : ndarray, optional
        Where to write the result: same shape and dtype as `logits`, which it may be. If it overlaps
        `logits` in another way, a copy of `logits` is made first.
    threads : int, optional
        At most so many threads, from 1 up. By default FASTSOFTMAX_NUM_THREADS, or else as many as
        the affinity mask and the cgroup leave. Rows are split over them where each gets some 20 us
        of work; the bits of the result don't depend on it.
    isa : str, optional
        Instruction set, one of ``isas()``; for tests and measurements.

    Returns
    -------
    ndarray
        Probabilities, shape and dtype of `logits`; `out` if given.

    Raises
    ------
    TypeError
        For lists, tensors, masked arrays, and dtypes other than float32 and float64.
    ValueError
        For an unknown variant or `isa`, an axis out of range, or an `out` that doesn't fit. Nothing
        is written then.

    Notes
    -----
    Error of ``"exact"`` against float64: float32 relative 5e-7 where x - max > -20 and absolute
    3e-7 anywhere, at every length; float64 relative 4e-15. For the others ``kernels()`` gives the
    bound of the weight; if ``|h(d)/exp(d) - 1| <= eps`` over a row, the total variation is at most
    ``eps / (1 - eps)`` and the Kullback-Leibler divergence at most ``log((1 + eps) / (1 - eps))``.

    Edges: -inf gets exactly 0, and so does what lies 87.34 (float64: 708.4) or more below the
    maximum, where exp is no normal number; from 87.25 (708) on that may be so already. Below a
    surrogate's domain it is 0, too. A row of -inf only, or with NaN or +inf, is all NaN.
    An empty axis gives an empty result.

    References
    ----------
    Milakov and Gimelshein, "Online normalizer calculation for softmax", arXiv 1805.02867.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[1, 2, 3], [0, 0, -np.inf]], dtype=np.float32)
    >>> np.round(online(x), 4).tolist() == np.round(online(x, "quad64"), 4).tolist()
    True
    >>> online(x)[1].tolist()
    [0.5, 0.5, 0.0]
    """
    result = _core.online(logits, out, variant, axis, threads, isa)
    if result is not False:
        return result
    x = checked_array(logits)
    axis, threads = checked_axis(axis, x.ndim), checked_threads(threads)
    _check_names(variant, isa)
    target = np.empty_like(x, subok=False) if out is None else checked_out(out, x)
    result = _core.online(x, target, variant, axis, threads, isa)
    if result is False:  # x and out overlap without being the same
        result = _core.online(x.copy(), target, variant, axis, threads, isa)
    _finished(result)
    return target if out is None else out


softmax = online


def normalizer(
    logits: NDArray[Any],
    variant: str = "exact",
    *,
    axis: int = -1,
    threads: int | None = None,
    isa: str | None = None,
) -> tuple[Any, Any]:
    """Compute the state of online softmax: ``m = max(x)`` and ``s = sum(h(x - m))`` along one axis.

    States merge: ``(m1, s1) + (m2, s2) = (M, s1*exp(m1 - M) + s2*exp(m2 - M))`` with M the larger
    maximum, so a sum can be split over chunks, threads or machines.

    Parameters
    ----------
    logits, variant, axis, threads, isa
        As in `online`.

    Returns
    -------
    m, s : ndarray (a scalar each for one-dimensional input)
        Shape of `logits` without `axis`, same dtype. Nothing to add up: (-inf, 0). A NaN in the
        row: (NaN, NaN). +inf in the row: (+inf, NaN).

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
    result = _core.normalizer(logits, variant, axis, threads, isa)
    if result is False:
        x = checked_array(logits)
        _check_names(variant, isa)
        axis, threads = checked_axis(axis, x.ndim), checked_threads(threads)
        result = _core.normalizer(x, variant, axis, threads, isa)
    m, s = _finished(result)
    return m[()], s[()]


def logsumexp(
    logits: NDArray[Any],
    variant: str = "exact",
    *,
    axis: int = -1,
    threads: int | None = None,
    isa: str | None = None,
) -> Any:
    """``log(sum(exp(x)))`` along one axis, as ``m + log(s)`` with the state of `normalizer`.

    Parameters
    ----------
    logits, variant, axis, threads, isa
        As in `online`.

    Returns
    -------
    ndarray (a scalar for one-dimensional input)
        Shape of `logits` without `axis`, same dtype, in nats. -inf where there is nothing or only
        -inf, +inf where there is +inf, NaN where there is a NaN.

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
    result = _core.logsumexp(logits, variant, axis, threads, isa)
    if result is False:
        x = checked_array(logits)
        _check_names(variant, isa)
        axis, threads = checked_axis(axis, x.ndim), checked_threads(threads)
        result = _core.logsumexp(x, variant, axis, threads, isa)
    return _finished(result)[()]


def scan(
    logits: NDArray[Any],
    variant: str = "exact",
    *,
    axis: int = -1,
    threads: int | None = None,
    isa: str | None = None,
) -> tuple[Any, Any]:
    """Compute the state (m, s) by the recurrence, one logit after another, for study.

    On a new maximum s is rescaled: by exp for ``exact`` and ``sr1`` .. ``sr8``, by the weight
    itself for ``poly*`` and ``quad*`` (so only ``quad*`` are free of exp throughout). ``sr1_raw``
    .. ``sr8_raw`` are the published recurrences to the letter: start m = x_0, s = 1, no rescale;
    docs/softmaxxing.md says how far off they end.

    Parameters
    ----------
    logits, axis, threads
        As in `online`.
    variant : str
        One of ``variants("scan")``.
    isa : str, optional
        ``"scalar"`` or ``"scalar_fma"``: the recurrence is serial.

    Returns
    -------
    m, s : ndarray (a scalar each for one-dimensional input)
        As `normalizer`, in the dtype of `logits`; s is one chain of additions in that dtype.

    Raises
    ------
    TypeError, ValueError
        As in `online`.

    References
    ----------
    arXiv 1805.02867; "Softmaxxing: Finding exp-free softmax with symbolic regression".

    Examples
    --------
    >>> import numpy as np
    >>> m, s = scan(np.array([0.0, 1.0, 0.5]), "sr3_raw")
    >>> float(m)
    1.0
    """
    result = _core.scan(logits, variant, axis, threads, isa)
    if result is False:
        x = checked_array(logits)
        _check_names(variant, isa)
        axis, threads = checked_axis(axis, x.ndim), checked_threads(threads)
        result = _core.scan(x, variant, axis, threads, isa)
    m, s = _finished(result)
    return m[()], s[()]


def _check_names(variant: object, isa: object) -> None:
    checked_name(variant, "variant")
    if isa is not None and not checked_name(isa, "isa"):
        known = ", ".join(_core.isas(False))
        raise ValueError(f"isa is empty; leave it out or pass one of: {known}")


def _finished(result: Any) -> Any:
    if result is False:
        raise RuntimeError("the core refused arguments that passed every check; please report it")
    return result
