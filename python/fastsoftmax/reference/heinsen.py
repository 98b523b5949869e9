"""Heinsen attention by its definition, in float64 and quadratic memory: for tests."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["log_quadratic", "quadratic"]


def quadratic(
    q: ArrayLike, k: ArrayLike, v: ArrayLike, *, causal: bool = True, phantom: bool = False
) -> NDArray[Any]:
    """Return eq. 1 of arXiv 2404.05843 for one head.

    Parameters
    ----------
    q, k, v : array of float
        ``[n_q, d_k]``, ``[n, d_k]``, ``[n, d_v]``.
    causal : bool
        Query t sees the tokens 0..t; otherwise every query sees all.
    phantom : bool
        A token of key 0 and value 1 comes before the others: the initial state of eq. 7.

    Returns
    -------
    ndarray of float64
        ``[n_q, d_v]``.
    """
    q, k, v = (np.asarray(a, dtype=np.float64) for a in (q, k, v))
    if phantom:
        k, v = np.pad(k, ((1, 0), (0, 0))), np.pad(v, ((1, 0), (0, 0)), constant_values=1.0)
    exponents = q[:, None, :] + k[None, :, :]
    if causal:
        later = np.arange(len(k)) > np.arange(len(q))[:, None] + phantom
        exponents = np.where(later[..., None], -np.inf, exponents)
    top = exponents.max(axis=(1, 2), keepdims=True)
    weights = np.exp(exponents - top).sum(axis=2)
    return np.asarray(weights @ v / weights.sum(axis=1, keepdims=True))


def log_quadratic(
    q: ArrayLike, k: ArrayLike, log_v: ArrayLike, *, causal: bool = True, phantom: bool = False
) -> NDArray[Any]:
    """Return log y where values are given as logarithms.

    Parameters
    ----------
    q, k, causal, phantom
        As in `quadratic`.
    log_v : array of float
        ``[n, d_v]``, logarithms of the values.

    Returns
    -------
    ndarray of float64
        ``[n_q, d_v]``.
    """
    q, k, log_v = (np.asarray(a, dtype=np.float64) for a in (q, k, log_v))
    if phantom:
        k, log_v = (np.pad(a, ((1, 0), (0, 0))) for a in (k, log_v))
    y = np.empty((len(q), log_v.shape[1]))
    for t, query in enumerate(q):
        seen = t + 1 + phantom if causal else len(k)
        exponents = query + k[:seen]
        log_S = _log_sum(exponents[:, :, None] + log_v[:seen, None, :])
        y[t] = log_S - _log_sum(exponents[:, :, None])
    return y


def _log_sum(terms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the logarithm of the sum of exp over all axes but the last."""
    top = np.maximum(terms.max(axis=(0, 1)), np.finfo(np.float64).min)
    with np.errstate(divide="ignore"):
        return np.asarray(top + np.log(np.exp(terms - top).sum(axis=(0, 1))))
