"""Statistics of attention heads, all that calibrating HCCS needs. docs/int8.md has the maths."""

import math
from collections.abc import Callable
from os import PathLike
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from fastsoftmax._inputs.int8 import checked_scales
from fastsoftmax.hccs import _npz
from fastsoftmax.hccs._npz import ADDED
from fastsoftmax.hccs._steps import LONGEST, Array, range_scale, steps

Progress = Callable[[int, int], None]  # heads done, heads in all

DISTANCES = LONGEST + 1
BINS = 64
_LOWEST = -14.0  # log2 of the lowest bin of v; below it a row has over 16384 elements
_ROWS_AT_ONCE = 2048


class HeadStats:
    """What calibration must know of the logits of attention heads; added up, row by row.

    Parameters
    ----------
    scale : float or array of float, optional
        Nats for one step of the quantised distance ``d = min(round((max - x) / scale), 255)``;
        must broadcast to the heads. By default each head takes it from its first update: the
        largest distance there is 255 steps. That suits `softmax_float`, which quantises distances.
        Logits that are int8 themselves, ``round(x / scale)`` without a zero point, saturate below
        ``abs(x).max() / 127``: pass that scale for them. Shards that are merged later need a common
        scale.

    Attributes
    ----------
    scale : ndarray of float64, [heads...], or None before the first update
    rows : ndarray of int64, [heads...]
        Rows that were counted: those with an unmasked position. Both are read-only copies.

    Notes
    -----
    Some 260 KiB a head, however many rows were seen: the mass of softmax at each distance, and for
    each Dmax 64 bins of the rows' mean clipped distance.

    Examples
    --------
    >>> import numpy as np
    >>> stats = HeadStats()
    >>> stats.update(np.random.default_rng(0).normal(0, 2, (12, 100, 64)))
    >>> stats.rows[0].item(), stats.shape
    (100, (12,))
    """

    def __init__(self, scale: ArrayLike | None = None) -> None:
        self._scale: Array | None = None if scale is None else checked_scales(scale)
        self._begun = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the heads; () before the first update, if no scale was given."""
        return () if self._scale is None else self._scale.shape

    @property
    def scale(self) -> Array | None:
        """Nats for one step of the distance, a copy; None before the first update."""
        return None if self._scale is None else _copy(self._scale)

    @property
    def rows(self) -> Array:
        """Rows that were counted, a copy."""
        return _copy(self._rows)

    @property
    def entropy(self) -> Array:
        """Sum of ``log(n)`` less the entropy, in nats, over those rows; a copy."""
        return _copy(self._entropy)

    @property
    def mass(self) -> Array:
        """Sum of softmax at each distance, a copy."""
        return _copy(self._mass)

    @property
    def count(self) -> Array:
        """Rows in each bin of the mean clipped distance, for each Dmax; a copy."""
        return _copy(self._count)

    @property
    def total(self) -> Array:
        """Sums of what `count` counts, a copy."""
        return _copy(self._total)

    def _begin(self, scale: Array) -> None:
        sums = self._sums(scale.shape)
        made = {name: np.zeros(shape, dtype) for name, (shape, dtype) in sums.items()}
        # set only now: had memory run out above, nothing would have begun
        for name, value in made.items():
            setattr(self, f"_{name}", value)
        self._scale, self._begun = scale, True

    _rows: Array
    _entropy: Array
    _mass: Array
    _count: Array
    _total: Array

    @staticmethod
    def _sums(heads: tuple[int, ...]) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
        """Shapes and dtypes of what is added up."""
        one, real = (*heads, DISTANCES - 1, BINS), np.dtype(np.float64)
        shapes = (heads, heads, (*heads, DISTANCES), one, one)
        dtypes = (np.dtype(np.int64), real, real, real, real)
        return dict(zip(ADDED, zip(shapes, dtypes, strict=True), strict=True))

    def update(
        self, logits: Array, mask: Array | None = None, *, progress: Progress | None = None
    ) -> None:
        """Add rows of logits.

        Parameters
        ----------
        logits : ndarray of float, [heads..., rows, keys]
            In nats. Positions of -inf take no part.
        mask : ndarray of bool, optional
            True where a position takes part; broadcasts to the shape of `logits`.
        progress : callable, optional
            Called after each head with how many are done, and of how many.

        Raises
        ------
        TypeError
            For logits that aren't floats, or a mask that isn't boolean.
        ValueError
            For NaN or +inf, heads of another shape, masks that don't broadcast. Nothing has
            changed then.
        """
        x = _checked(logits, mask)
        scale = _range_scale(x) if self._scale is None else self._scale_for(x.shape[:-2])
        if not self._begun:
            self._begin(scale)
        for done, head in enumerate(np.ndindex(scale.shape), 1):
            for first in range(0, x.shape[-2], _ROWS_AT_ONCE):
                rows = x[head][first : first + _ROWS_AT_ONCE]
                self._add(head, rows, float(scale[head]))
            if progress:
                progress(done, scale.size)

    def _scale_for(self, heads: tuple[int, ...]) -> Array:
        assert self._scale is not None
        if self._begun and heads != self.shape:
            raise ValueError(
                f"logits have heads of shape {heads}, earlier ones had {self.shape}; the shape is "
                "[heads..., rows, keys]"
            )
        try:
            return np.broadcast_to(self._scale, heads).copy()
        except ValueError:
            raise ValueError(
                f"scale has shape {self.shape}, which doesn't broadcast to the heads {heads}"
            ) from None

    @np.errstate(all="ignore")
    def _add(self, head: tuple[int, ...], x: Array, scale: float) -> None:
        """Rows of one head, from how often each of them has each distance."""
        unmasked = np.isfinite(x)
        top = np.max(x, axis=-1, keepdims=True, initial=-np.inf)
        d = np.where(unmasked, steps(top, x, np.array(scale)), 0).astype(np.int64)
        index = (np.arange(len(d))[:, None] * DISTANCES + d)[unmasked]
        counts = np.bincount(index, minlength=len(d) * DISTANCES).reshape(-1, DISTANCES)
        counts = counts[unmasked.any(axis=-1)]
        n = counts.sum(axis=-1, keepdims=True)
        nats = scale * np.arange(DISTANCES)
        weight = np.exp(-nats)
        nats = np.where(weight > 0, nats, 0)  # which may be infinite where nothing weighs
        z = counts @ weight
        p = counts * weight / z[:, None]
        self._rows[head] += len(counts)
        self._entropy[head] += (np.log(n[:, 0] / z) - p @ nats).sum()
        self._mass[head] += p.sum(axis=0)
        # sum(min(d, D)) is the sum over t < D of how many d exceed t
        clipped = np.cumsum(n - np.cumsum(counts, axis=-1), axis=-1)[:, :-1]
        dmax = np.arange(DISTANCES - 1)
        v = 1 - clipped / (n * (dmax + 1))
        place = (np.log2(np.maximum(v, 2.0**_LOWEST)) - _LOWEST) * ((BINS - 1) / -_LOWEST)
        bins = (dmax * BINS + np.minimum(place.astype(np.int64), BINS - 1)).ravel()
        size, shape = (DISTANCES - 1) * BINS, (DISTANCES - 1, BINS)
        self._count[head] += np.bincount(bins, minlength=size).reshape(shape)
        self._total[head] += np.bincount(bins, weights=v.ravel(), minlength=size).reshape(shape)

    def merge(self, other: "HeadStats") -> None:
        """Add the rows of other statistics.

        Parameters
        ----------
        other : HeadStats
            Of the same heads and scale; it stays as it is.

        Raises
        ------
        TypeError
            If `other` isn't a `HeadStats`.
        ValueError
            For another scale: quantise all shards with one, ``HeadStats(scale)``.
        """
        if not isinstance(other, HeadStats):
            raise TypeError(f"other must be HeadStats, not {type(other).__name__}")
        if not other._begun:
            return
        assert other._scale is not None
        if not self._begun and self._scale is None:
            self._begin(other._scale.copy())
        elif not self._begun:
            self._begin(self._scale_for(other.shape))
        if not np.array_equal(self._scale, other._scale):  # type: ignore[arg-type]
            raise ValueError(
                "the scales differ; give all shards that are to be merged one HeadStats(scale)"
            )
        for name in ADDED:
            getattr(self, f"_{name}").__iadd__(getattr(other, f"_{name}"))

    def over(self, axes: tuple[int, ...]) -> "HeadStats":
        """Sum over axes of the heads.

        Parameters
        ----------
        axes : tuple of int
            They stay, with size 1. The heads along them must share their scale.

        Returns
        -------
        HeadStats

        Raises
        ------
        ValueError
            For scales that differ, and for empty statistics.
        """
        if not self._begun or self._scale is None:
            raise ValueError("the statistics are empty: update() them first")
        first = self._scale.min(axis=axes, keepdims=True)
        if not np.array_equal(np.broadcast_to(first, self.shape), self._scale):
            raise ValueError(
                "B, S, Dmax can be shared by heads of one scale only, but their scales differ; "
                "gather them with HeadStats(scale) of a common scale"
            )
        result = HeadStats()
        result._begin(np.asarray(first))
        for name in ADDED:
            added = getattr(self, f"_{name}").sum(axis=axes, keepdims=True)
            setattr(result, f"_{name}", np.asarray(added))
        return result

    def save(self, path: str | PathLike[str]) -> None:
        """Write an ``.npz`` file, which `load` reads.

        At `path` is the old file or all of the new one, whatever happens. A symbolic link is
        followed, and the mode of an old file is kept.

        Parameters
        ----------
        path : str or PathLike
            Nothing is added to a name.

        Raises
        ------
        OSError
            If it can't be written; the old file is as it was.
        ValueError
            For empty statistics, and for more than 2^31 bytes of them, which `load` refuses.
        """
        if not self._begun or self._scale is None:
            raise ValueError("the statistics are empty: update() them first")
        _npz.write(self, path)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read what `save` wrote; nothing in the file is executed.

        Parameters
        ----------
        path : str or PathLike
            The file.

        Returns
        -------
        HeadStats

        Raises
        ------
        OSError
            For a file that can't be read.
        ValueError
            For a file of another kind or version, arrays that inflate to more than 2^31 bytes,
            refused before they do, and numbers that no rows give.
        """
        return _npz.read(cls, path)


def _copy(array: Array) -> Array:
    """Read-only, so that nobody takes it for the statistics themselves."""
    copied = np.array(array)
    copied.flags.writeable = False
    return copied


@np.errstate(all="ignore")
def _range_scale(x: Array) -> Array:
    """Nats a step with which the largest distance of each head is 255 steps."""
    top = np.max(x, axis=-1, initial=-np.inf)
    low = np.min(x, axis=-1, initial=np.inf, where=np.isfinite(x))
    found = range_scale(top, low).max(axis=-1, initial=0)
    return np.where(found > 0, found, 1.0)


def _checked(logits: object, mask: object) -> Array:
    """Logits in double, -inf where masked out."""
    if not isinstance(logits, np.ndarray) or logits.dtype.kind != "f":
        found = logits.dtype if isinstance(logits, np.ndarray) else type(logits).__name__
        raise TypeError(f"logits must be a float array, in nats, not {found}")
    if logits.ndim < 2:
        raise ValueError(f"logits have shape {logits.shape}; wanted [heads..., rows, keys]")
    # wider numbers are refused as infinite below; NaN may signal
    with np.errstate(all="ignore"):
        x: Array = logits.astype(np.float64)
    if mask is not None:
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
            raise TypeError("mask must be a boolean array, True where a position takes part")
        try:
            x = np.where(np.broadcast_to(mask, x.shape), x, -math.inf)
        except ValueError:
            raise ValueError(
                f"mask has shape {mask.shape}, which doesn't broadcast to {x.shape}"
            ) from None
    if (np.isnan(x) | np.isposinf(x)).any():
        raise ValueError("logits have NaN or +inf; mask those positions out, or leave the rows out")
    return x
