"""States merged, and their logarithms."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsoftmax._ops.merge import exp_factor, merged
from fastsoftmax.heinsen._layout import NOTHING, excess, panels, weights


def merge(data: NDArray[Any], other: NDArray[Any], d_k: int, d_v: int, log_values: bool) -> None:
    """Add all tokens of the states `other` to those of `data`, which have the same layout."""
    (m, z), (m2, z2) = weights(data, d_k), weights(other, d_k)
    # all that needs memory comes first: where there is none, the state stays as it was
    if log_values:
        (M, S, over), (M2, S2, _) = panels(data, d_k, d_v, True), panels(other, d_k, d_v, True)
        top, total = merged((m, z), (m2, z2), exp_factor)
        highest, mixed = merged((M, S), (M2, S2), exp_factor)
        M[...], S[...], over[...] = highest, mixed, 0
        m[...], z[...] = top, total
        excess(data, d_k)[...] = 0
    else:
        # as panels, so that a row's factor goes with the row of each of them
        (A,), (A2,) = panels(data, d_k, d_v, False), panels(other, d_k, d_v, False)
        m, z, m2, z2 = (part[:, None, :, None] for part in (m, z, m2, z2))
        m[...], z[...], A[...] = merged((m, z, A), (m2, z2, A2), exp_factor)


def logarithms(
    data: NDArray[Any], d_k: int, d_v: int, log_values: bool
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return H_S in panels and H_Z, padded; ValueError if H_S isn't real."""
    m, z = weights(data, d_k)
    if log_values:
        M, S, _ = panels(data, d_k, d_v, True)
    else:
        (S,) = panels(data, d_k, d_v, False)
        M = m[:, None, :, None]
        if np.any(S < 0):
            raise ValueError("a sum of values is negative, so H_S is not real; H_S needs v >= 0")
    with np.errstate(divide="ignore"):
        H_S, H_Z = M + np.log(S), m + np.log(z)
    seen = np.greater(H_S, NOTHING[data.dtype])
    return np.where(seen, H_S, -np.inf), H_Z
