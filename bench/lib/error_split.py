"""Where the error of a surrogate's normaliser comes from, in float64.

The published recurrence adds h(x_t - m) to s, with the maximum m before step t, and never
rescales. With exact increments it would end at
    U = 1 + sum_t exp(x_t - m_t),   m_t the maximum including x_t,
so its error splits without remainder:
    s_raw - s  =  sum of (h - exp) over steps with -7 <= x - m <= 0     drift
                + sum of (h - exp) over steps further below             extrapolation
                + sum of (h - 1) over steps with a new maximum          increments there
                + (U - s)                                               missing rescales, >= 0
                + the rounding of the float32 chain
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lib.exact_rows import Rows
from lib.metrics import Float64

#: The published expressions were trained on streams where d lies in [-7, -1] for the most part.
TRAINED_DOWN_TO = -7.0

Weight = Callable[[Float64], Float64]


@dataclass(frozen=True)
class Split:
    """The parts of the error, each relative to the exact s of its row."""

    drift: Float64
    extrapolation: Float64
    new_max: Float64
    missing_rescales: Float64
    rounding: Float64
    total: Float64


@dataclass(frozen=True)
class Cancelling:
    """Errors of the increments of a row: what they add up to with and without their signs."""

    absolute: Float64
    signed: Float64

    @property
    def ratio(self) -> Float64:
        """1 where every error has the same sign, 0 where they cancel entirely."""
        with np.errstate(all="ignore"):
            kept: Float64 = np.abs(self.signed) / self.absolute
        return kept


def split(rows: Rows, weight: Weight, s_raw: Float64) -> Split:
    """Split the error of the raw recurrence; `weight` is its increment h, not clamped."""
    d = rows.steps
    rises, far = d > 0, d < TRAINED_DOWN_TO
    exact = np.exp(np.minimum(d, 0.0))
    off = weight(d) - exact
    parts = {
        "drift": np.where(rises | far, 0.0, off).sum(axis=1),
        "extrapolation": np.where(far, off, 0.0).sum(axis=1),
        "new_max": np.where(rises, off, 0.0).sum(axis=1),
        "missing_rescales": 1.0 + exact.sum(axis=1) - rows.s,
    }
    total = s_raw - rows.s
    rounding = total - sum(parts.values())
    return Split(
        **{name: part / rows.s for name, part in parts.items()},
        rounding=rounding / rows.s,
        total=total / rows.s,
    )


def cancelling(d: Float64, weight: Weight, counted: NDArray[np.bool_] | None = None) -> Cancelling:
    """Add up h(d) - exp(d) over each row, with and without sign, where `counted` says so."""
    off = weight(d) - np.exp(np.minimum(d, 0.0))
    if counted is not None:
        off = np.where(counted, off, 0.0)
    return Cancelling(np.abs(off).sum(axis=1), off.sum(axis=1))
