"""How far weights are from the exact softmax: every figure per row, in float64.

The Kullback-Leibler divergence is KL(approximate || exact), since surrogates are exactly 0 where
softmax is not and the other direction would be infinite. It is taken in its general form,
sum p ln(p/q) - p + q, which is the usual one where both sum to 1 and stays meaningful (and never
negative) where p does not, by rounding or because its normaliser is off.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float64 = NDArray[np.float64]

#: Relative errors count within this distance of the row maximum, where the library makes a promise.
NEAR = 20.0


@dataclass(frozen=True)
class Errors:
    """Maxima over all weights, means over the rows."""

    max_abs: float
    max_rel: float
    kl: float
    total_variation: float


def _rows(weights: ArrayLike) -> Float64:
    return np.atleast_2d(np.asarray(weights, dtype=np.float64))


def kl(weights: ArrayLike, exact: ArrayLike) -> Float64:
    """KL(weights || exact) of each row, in nats; infinite where a weight is negative or NaN."""
    p, q = _rows(weights), _rows(exact)
    with np.errstate(all="ignore"):
        terms = np.where(p == 0, q, p * np.log(p / q) - p + q)
    result: Float64 = np.where(np.all(p >= 0, axis=-1), terms.sum(axis=-1), np.inf)
    return result


def total_variation(weights: ArrayLike, exact: ArrayLike) -> Float64:
    """Half the sum of the absolute differences, of each row."""
    result: Float64 = 0.5 * np.abs(_rows(weights) - _rows(exact)).sum(axis=-1)
    return result


def entropy(weights: ArrayLike) -> Float64:
    """Entropy of each row in nats, after scaling it to sum 1."""
    p = _rows(weights)
    with np.errstate(all="ignore"):
        p = p / p.sum(axis=-1, keepdims=True)
        terms = np.where(p == 0, 0.0, p * np.log(p))
    result: Float64 = -terms.sum(axis=-1)
    return result


def relative_l2(result: ArrayLike, exact: ArrayLike) -> Float64:
    """Length of the difference over the length of the exact vector, of each row."""
    got, want = _rows(result), _rows(exact)
    with np.errstate(all="ignore"):
        ratio: Float64 = np.linalg.norm(got - want, axis=-1) / np.linalg.norm(want, axis=-1)
    return ratio


def compare(weights: ArrayLike, exact: ArrayLike) -> Errors:
    """All four figures that stand beside a speed."""
    p, q = _rows(weights), _rows(exact)
    difference = np.abs(p - q)
    near = q >= q.max(axis=-1, keepdims=True) * np.exp(-NEAR)
    return Errors(
        max_abs=float(difference.max()),
        max_rel=float((difference[near] / q[near]).max()),
        kl=float(kl(p, q).mean()),
        total_variation=float(0.5 * difference.sum(axis=-1).mean()),
    )
