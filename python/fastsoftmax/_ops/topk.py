"""The largest probabilities of a softmax and where they are, in one pass over the logits."""

import operator
from typing import Any

import numpy as np

from fastsoftmax import _core
from fastsoftmax._inputs.checks import checked_axis, checked_operand
from fastsoftmax._inputs.libraries import on_device
from fastsoftmax._inputs.slow_path import reduced


def topk(
    logits: Any,
    k: int,
    *,
    axis: int = -1,
    scale: float = 1.0,
    mask: Any = None,
    threads: int | None = None,
    stream: Any = None,
    isa: str | None = None,
) -> tuple[Any, Any]:
    """Softmax probabilities of the k largest logits along one axis, and their indices.

    What ``softmax`` followed by a top-k gives, without the probabilities that nobody asked for: up
    to k = 64 the logits are read once and nothing but the results is written.

    Parameters
    ----------
    logits, axis, scale, mask, threads, stream, isa
        As in `online`. Ranked is ``z = scale * logits + mask``, as computed: two logits whose z
        rounds to one float are equal.
    k : int
        How many: 0 to the extent of `axis`. Above 64 a row takes a softmax in scratch space and a
        partial sort; a CUDA device takes up to 64.

    Returns
    -------
    probabilities : array
        The k largest, in descending order; shape of `logits` with k in place of the extent of
        `axis`, its kind and dtype. They are shares of the whole row: they needn't add up to 1.
    indices : array of int64
        Where along `axis` they are: same shape and kind (JAX without 64-bit types: int32).

    Raises
    ------
    TypeError, ValueError
        As in `online`; also for a `k` that is no integer, below 0 or above the extent of `axis`.

    Notes
    -----
    Error of the probabilities: that of `online` with ``"exact"``. float32: relative 5e-7 where z -
    max > -20, absolute 3e-7 anywhere; float64: relative 4e-15; float16 and bfloat16: one more
    rounding, to nearest, after the ranking.

    Equal logits are ranked by their index, the lower first; denormal ones count as 0. -inf comes
    after all numbers, with probability 0, and NaN last. A row with NaN or +inf, or of -inf only,
    has NaN for all its probabilities and indices by the same rule; a row without an unmasked
    position has probabilities 0 and indices 0 to k - 1. An axis without elements leaves k = 0.

    References
    ----------
    Milakov and Gimelshein, "Online normalizer calculation for softmax", arXiv 1805.02867, whose
    second result is softmax fused with top-k.

    Examples
    --------
    >>> import numpy as np
    >>> p, i = topk(np.log(np.array([1.0, 5.0, 2.0, 2.0])), 3)
    >>> p.round(3).tolist(), i.tolist()
    ([0.5, 0.2, 0.2], [1, 2, 3])
    """
    if stream is None:
        result = _core.topk(logits, k, "exact", axis, scale, mask, None, threads, isa, False)
        if result is not False:
            p, indices = result
            return _placed(p, axis), _placed(indices, axis)
    if on_device(logits, stream):
        from fastsoftmax._device import rows

        count = _checked(k, tuple(logits.shape), axis)
        return rows.topk(logits, count, axis, scale, mask, threads, stream, isa)
    count = _checked(k, checked_operand(logits).array.shape, axis)

    def largest(x: Any, *given: Any) -> Any:
        return _core.topk(x, count, *given)

    (p, indices), x = reduced(largest, logits, "exact", axis, scale, mask, None, threads, isa)
    return x.wrap(_placed(p, axis)), x.wrap_float(_placed(indices, axis))


def _placed(result: Any, axis: int) -> Any:
    """Put the last axis in the place of `axis`, without gaps between the elements."""
    return result if axis == -1 else np.ascontiguousarray(np.moveaxis(result, -1, axis))


def _checked(k: object, shape: tuple[int, ...], axis: object) -> int:
    """`k` as an int that the axis has room for."""
    if isinstance(k, (bool, np.bool_)) or not hasattr(k, "__index__"):
        raise TypeError(f"k must be an integer, not {k!r}")
    count = operator.index(k)
    extent = shape[checked_axis(axis, len(shape))]
    if not 0 <= count <= extent:
        raise ValueError(
            f"k is {count}, but axis {axis} has {extent} elements; it may be 0 to that"
        )
    return count
