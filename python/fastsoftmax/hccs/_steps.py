"""Distances from the maximum of a row in steps, for every finite number."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: The longest distance that is told apart.
LONGEST = 255


@np.errstate(all="ignore")
def steps(top: Array, x: Array, scale: Array) -> Array:
    """``min(round((top - x) / scale), 255)`` as a float, where x <= top; NaN for NaN."""
    found = (top - x) / scale
    # Halves of numbers that far apart are exact, and their distance is finite.
    far = np.isinf(found) & np.isfinite(top) & np.isfinite(x)
    if far.any():
        found = np.where(far, (top / 2 - x / 2) / (scale / 2), found)
    return np.minimum(np.rint(found), LONGEST)


@np.errstate(all="ignore")
def range_scale(top: Array, low: Array) -> Array:
    """Nats a step with which ``top - low`` is 255 steps; 0 unless top > low."""
    found = (top - low) / LONGEST
    found = np.where(np.isinf(found), top / LONGEST - low / LONGEST, found)
    # The least numbers are a few units apart: one more takes up what was rounded off.
    short = np.rint((top - low) / found) > LONGEST
    found = np.where(short, np.nextafter(found, np.inf), found)
    return np.where(top > low, found, 0.0)
