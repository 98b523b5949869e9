"""The same operations in float64 NumPy, plainly: what the compiled kernels are tested against.

`weight` stands for exp, as a function of d = x - max <= 0; the bounds of ``kernels()`` are claims
about what it changes. Edge rules are those of the compiled operations.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float64 = NDArray[np.float64]
Weight = Callable[[Any], Any]


def _distances(logits: ArrayLike, axis: int) -> tuple[Float64, Float64]:
    """Return the maximum m (kept as an axis of one) and x - m, which is -inf wherever x is."""
    x = np.asarray(logits, dtype=np.float64)
    m = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    with np.errstate(invalid="ignore"):
        return m, np.where(np.isneginf(x), -np.inf, x - m)


def online(logits: ArrayLike, *, axis: int = -1, weight: Weight = np.exp) -> Float64:
    """Softmax along an axis; a row of -inf only, or with NaN or +inf, is NaN."""
    _, d = _distances(logits, axis)
    w = np.where(np.isneginf(d), 0.0, weight(d))
    with np.errstate(invalid="ignore"):
        return np.asarray(w / np.sum(w, axis=axis, keepdims=True))


def normalizer(
    logits: ArrayLike, *, axis: int = -1, weight: Weight = np.exp
) -> tuple[Float64, Float64]:
    """Return the state m = max x and s = sum of weight(x - m) along an axis."""
    m, d = _distances(logits, axis)
    s = np.sum(np.where(np.isneginf(d), 0.0, weight(d)), axis=axis)
    return np.squeeze(m, axis), np.asarray(s)


def logsumexp(logits: ArrayLike, *, axis: int = -1, weight: Weight = np.exp) -> Float64:
    """Log of the sum of exp along an axis."""
    m, s = normalizer(logits, axis=axis, weight=weight)
    with np.errstate(divide="ignore"):
        return np.asarray(np.where(np.isfinite(m), m + np.log(s), m))


def scan(
    logits: ArrayLike, *, weight: Weight = np.exp, rescale: Weight = np.exp
) -> tuple[float, float]:
    """Return the state of one row by the recurrence: s is rescaled wherever x is a new maximum."""
    m, s = -np.inf, 0.0
    for x in np.asarray(logits, dtype=np.float64).tolist():
        if x == -np.inf:
            continue
        if x > m:
            s = s * float(rescale(m - x)) + float(weight(0.0))
            m = x
        else:
            s += float(weight(x - m))
    return m, s
