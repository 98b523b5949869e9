"""Softmax and its relatives by their definitions, in float64."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float64 = NDArray[np.float64]
Weight = Callable[[Any], Any]


def _distances(logits: ArrayLike, axis: int) -> tuple[Float64, Float64]:
    """Return the maximum m (along an axis of one) and x - m, which is -inf wherever x is."""
    x = np.asarray(logits, dtype=np.float64)
    m = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    with np.errstate(invalid="ignore"):
        return m, np.where(np.isneginf(x), -np.inf, x - m)


def adapted(
    logits: ArrayLike,
    *,
    axis: int = -1,
    scale: float = 1.0,
    mask: ArrayLike | None = None,
    sink: ArrayLike | None = None,
) -> Float64:
    """Return z: scale * logits + mask, -inf where masked out, with the sink as one more logit.

    Parameters
    ----------
    logits, axis, scale, mask, sink
        As in `fastsoftmax.online`.

    Returns
    -------
    ndarray of float64
        Shape of `logits`; with a sink it is one longer along `axis`.
    """
    z = scale * np.asarray(logits, dtype=np.float64)
    if mask is not None:
        given = np.asarray(mask)
        unmasked = given if given.dtype == np.bool_ else given > np.finfo(given.dtype).min / 2
        added = 0.0 if given.dtype == np.bool_ else np.where(unmasked, given, 0.0)
        z = np.where(unmasked | np.isnan(given), z + added, -np.inf)
    if sink is not None:
        rows = z.shape[: axis % z.ndim] + z.shape[axis % z.ndim + 1 :]
        last = np.broadcast_to(np.asarray(sink, dtype=np.float64), rows)
        z = np.concatenate([z, np.expand_dims(last, axis)], axis)
    return z


def online(
    logits: ArrayLike,
    *,
    axis: int = -1,
    weight: Weight = np.exp,
    scale: float = 1.0,
    mask: ArrayLike | None = None,
    sink: ArrayLike | None = None,
) -> Float64:
    """Return softmax along an axis.

    Parameters
    ----------
    logits, axis, scale, mask, sink
        As in `fastsoftmax.online`.
    weight : callable
        Stands for exp, as a function of ``z - max <= 0``.

    Returns
    -------
    ndarray of float64
        Shape of `logits`. A row of -inf only, or with NaN or +inf, is NaN; one that is masked out
        as a whole is 0.
    """
    x = np.asarray(logits)
    _, d = _distances(adapted(x, axis=axis, scale=scale, mask=mask, sink=sink), axis)
    w = np.where(np.isneginf(d), 0.0, weight(d))
    with np.errstate(invalid="ignore"):
        p = np.asarray(w / np.sum(w, axis=axis, keepdims=True))
    if sink is not None:
        p = np.delete(p, -1, axis)
    if mask is None:
        return p
    given = np.asarray(mask)
    unmasked = given if given.dtype == np.bool_ else ~(given <= np.finfo(given.dtype).min / 2)
    taking_part = np.broadcast_to(unmasked, x.shape).any(axis=axis, keepdims=True)
    return np.where(taking_part | ~np.isnan(p), p, 0.0)


def log_softmax(
    logits: ArrayLike,
    *,
    axis: int = -1,
    weight: Weight = np.exp,
    scale: float = 1.0,
    mask: ArrayLike | None = None,
    sink: ArrayLike | None = None,
) -> Float64:
    """Return the logarithm of softmax along an axis: distance from the maximum less log(s).

    Parameters
    ----------
    logits, axis, weight, scale, mask, sink
        As in `online`.

    Returns
    -------
    ndarray of float64
        Shape of `logits`; -inf where masked out.
    """
    z = adapted(logits, axis=axis, scale=scale, mask=mask, sink=sink)
    _, d = _distances(z, axis)
    _, s = normalizer(z, axis=axis, weight=weight)
    with np.errstate(all="ignore"):
        y = d - np.log(np.expand_dims(s, axis))
    y = np.delete(y, -1, axis) if sink is not None else y
    nothing = np.isneginf(z).all(axis=axis, keepdims=True) if mask is not None else False
    return np.asarray(np.where(nothing, -np.inf, y))


def normalizer(
    logits: ArrayLike,
    *,
    axis: int = -1,
    weight: Weight = np.exp,
    scale: float = 1.0,
    mask: ArrayLike | None = None,
    sink: ArrayLike | None = None,
) -> tuple[Float64, Float64]:
    """Return the state m = max z and s = sum of weight(z - m) along an axis.

    Parameters
    ----------
    logits, axis, weight, scale, mask, sink
        As in `online`.

    Returns
    -------
    m, s : ndarray of float64
        Shape of `logits` without `axis`.
    """
    m, d = _distances(adapted(logits, axis=axis, scale=scale, mask=mask, sink=sink), axis)
    s = np.sum(np.where(np.isneginf(d), 0.0, weight(d)), axis=axis)
    return np.squeeze(m, axis), np.asarray(s)


def logsumexp(
    logits: ArrayLike,
    *,
    axis: int = -1,
    weight: Weight = np.exp,
    scale: float = 1.0,
    mask: ArrayLike | None = None,
    sink: ArrayLike | None = None,
) -> Float64:
    """Return the logarithm of the sum of exp along an axis.

    Parameters
    ----------
    logits, axis, weight, scale, mask, sink
        As in `online`.

    Returns
    -------
    ndarray of float64
        Shape of `logits` without `axis`.
    """
    m, s = normalizer(logits, axis=axis, weight=weight, scale=scale, mask=mask, sink=sink)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(np.isfinite(m), m + np.log(s), m))


def topk(
    logits: ArrayLike,
    k: int,
    *,
    axis: int = -1,
    scale: float = 1.0,
    mask: ArrayLike | None = None,
) -> tuple[Float64, NDArray[np.int64]]:
    """Return the k largest probabilities and their places.

    Parameters
    ----------
    logits, axis, scale, mask
        As in `fastsoftmax.online`.
    k : int
        How many.

    Returns
    -------
    probabilities : ndarray of float64
        In descending order, along `axis`.
    places : ndarray of int64
        Where along `axis` they are. Equal ones are in the order of their places, NaN is last.
    """
    z = adapted(logits, axis=axis, scale=scale, mask=mask)
    p = online(logits, axis=axis, scale=scale, mask=mask)
    places = np.argsort(-z, axis=axis, kind="stable")  # which puts NaN last
    places = np.take(places, np.arange(k), axis=axis).astype(np.int64)
    return np.take_along_axis(p, places, axis), places


def scan(
    logits: ArrayLike, *, weight: Weight = np.exp, rescale: Weight = np.exp
) -> tuple[float, float]:
    """Return the state of one row by the recurrence: s is rescaled wherever x is a new maximum.

    Parameters
    ----------
    logits : array
        The row.
    weight, rescale : callable
        Stand for exp: of ``x - m <= 0``, and of the old maximum less the new one.

    Returns
    -------
    m, s : float
    """
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
