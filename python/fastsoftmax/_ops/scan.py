"""The recurrence of online softmax, one step after another."""

from typing import Any

from fastsoftmax import _core
from fastsoftmax._inputs.checks import checked_array, checked_axis, checked_threads
from fastsoftmax._inputs.libraries import on_device
from fastsoftmax._inputs.slow_path import check_names, finished


def scan(
    logits: Any,
    variant: str = "exact",
    *,
    axis: int = -1,
    threads: int | None = None,
    stream: Any = None,
    isa: str | None = None,
) -> tuple[Any, Any]:
    """Compute the state (m, s) by the recurrence, one logit after another, for study.

    On a new maximum s is rescaled: by exp for ``exact`` and ``sr1`` .. ``sr8``, by the weight
    itself for ``poly*`` and ``quad*`` (so only ``quad*`` are free of exp throughout). ``sr1_raw``
    .. ``sr8_raw`` are the published recurrences to the letter: start m = x_0, s = 1, no rescale;
    docs/softmaxxing.md says how far off they end.

    Parameters
    ----------
    logits, axis, threads, stream
        As in `online`; NumPy arrays of float32 and float64, or arrays of float32 on a CUDA device.
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
    result: Any = False
    if stream is None:
        result = _core.scan(logits, variant, axis, threads, isa)
    if result is False:
        if on_device(logits, stream):
            from fastsoftmax._device import rows

            return rows.scan(logits, variant, axis, threads, stream, isa)
        x = checked_array(logits)
        check_names(variant, isa)
        axis, threads = checked_axis(axis, x.ndim), checked_threads(threads)
        result = _core.scan(x, variant, axis, threads, isa)
    m, s = finished(result)
    return m[()], s[()]
