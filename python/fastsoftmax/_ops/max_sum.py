"""The state of a sum of exponentials, for logits that come in chunks or from several workers."""

import copy
import operator
from collections.abc import Iterable
from typing import Any, Self, SupportsIndex

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastsoftmax._inputs.checks import (
    checked_array,
    checked_axis,
    checked_bytes,
    checked_name,
    checked_operand,
    checked_out,
)
from fastsoftmax._inputs.libraries import count_write
from fastsoftmax._ops.merge import merged
from fastsoftmax._ops.reductions import normalizer
from fastsoftmax._ops.weights import Float64, precise_factor, write_probabilities

#: m and s of one row, or of a batch of rows
Pair = tuple[NDArray[Any], Float64]
_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


class MaxSum:
    """What softmax has to remember of a row: its maximum ``m`` and ``s = sum(exp(x - m))``.

    Add logits with `update`, chunk by chunk, in any order; add what another thread, process or
    machine has seen with `merge` (or ``a + b``). A second pass over the logits turns them into
    `probabilities`. So a row needs never be in memory as a whole.

    Merging is commutative, and associative but for rounding; a fresh state is neutral, and so is
    an empty chunk. A state is small: it can be copied, compared and pickled.

    Parameters
    ----------
    shape : int or tuple of int
        Shape of the batch, one row for each element: that of a chunk without its axis. ``()`` is a
        single row, with one-dimensional chunks.
    dtype : float32 or float64
        Dtype of the chunks, and of `m`, `logsumexp` and `probabilities`. `s` is always float64.
    variant : str
        ``"exact"``. Surrogates are refused: they weigh a chunk below its own maximum, so their
        sum would depend on how the row was split.

    Raises
    ------
    TypeError
        For another dtype, a shape that isn't made of integers, a variant that isn't a string.
    ValueError
        For a negative length in `shape`, for more rows than an array can have, or a variant other
        than ``"exact"``.

    Notes
    -----
    Error of `s` against float64: float32 relative 5e-7, as for `normalizer`, however the row is
    split; float64 relative 4e-15, and at worst 7e-16 more for every merge that a chunk goes
    through, its own `update` included.

    Two threads that update the same state at once may lose a chunk: give each its own, and merge.

    References
    ----------
    Milakov and Gimelshein, "Online normalizer calculation for softmax", arXiv 1805.02867.

    Examples
    --------
    >>> import numpy as np
    >>> logits = np.log(np.array([1.0, 2.0, 3.0, 4.0, 6.0]))
    >>> here = MaxSum(dtype=np.float64).update(logits[:2]).update(logits[2:3])
    >>> there = MaxSum(dtype=np.float64).update(logits[3:])
    >>> total = here + there
    >>> round(float(np.exp(total.logsumexp)), 12)
    16.0
    >>> total.probabilities(logits[3:]).round(12).tolist()
    [0.25, 0.375]
    """

    __slots__ = ("_pair",)
    #: Never written to, only replaced, so that a reader gets an m and an s of one state.
    _pair: Pair

    def __init__(
        self,
        shape: SupportsIndex | Iterable[SupportsIndex] = (),
        dtype: DTypeLike = np.float32,
        *,
        variant: str = "exact",
    ) -> None:
        if checked_name(variant, "variant") != "exact":
            raise ValueError(
                f"MaxSum knows the variant 'exact' alone, not {variant!r}: a surrogate weighs each "
                "chunk below its own maximum, so the sum would depend on how the row is split"
            )
        rows = _checked_shape(shape)
        self._pair = _frozen(np.full(rows, -np.inf, _checked_dtype(dtype)), np.zeros(rows))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the batch; ``()`` for a single row."""
        return self._pair[0].shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the chunks."""
        return self._pair[0].dtype

    @property
    def m(self) -> Any:
        """Maximum of all logits so far, read-only; -inf where there were none."""
        return self._pair[0][()]

    @property
    def s(self) -> Any:
        """``sum(exp(x - m))`` in float64, read-only; 0 where nothing is above -inf."""
        return self._pair[1][()]

    @property
    def logsumexp(self) -> Any:
        """``log(sum(exp(x)))`` of all logits so far, in the dtype of the chunks.

        -inf where there is nothing or only -inf, +inf where there is +inf, NaN where there is a
        NaN; an array of the state's shape, a scalar for a single row.
        """
        m, s = self._pair
        with np.errstate(all="ignore"):
            logarithm = np.log(s, out=np.zeros(self.shape), where=np.isfinite(m))
            return (m + logarithm).astype(self.dtype)[()]

    def update(self, chunk: NDArray[Any], *, axis: int = -1) -> Self:
        """Add logits to the state.

        Parameters
        ----------
        chunk : ndarray of the state's dtype
            Logits in nats; its shape without `axis` is the state's. Any strides, any length.
        axis : int
            The axis along which the chunk is a piece of its rows.

        Returns
        -------
        MaxSum
            The state itself.

        Raises
        ------
        TypeError
            For anything but an array of the state's dtype.
        ValueError
            For a shape that doesn't fit, or an axis out of range. The state stays as it was.
        """
        x, axis = self._checked_chunk(chunk, axis)
        m, s = normalizer(x, axis=axis)
        self._pair = _merged(self._pair, (np.asarray(m), np.asarray(s, np.float64)))
        return self

    def merge(self, other: "MaxSum") -> Self:
        """Add all that another state has seen; `other` stays as it is.

        Parameters
        ----------
        other : MaxSum
            A state of the same shape and dtype.

        Returns
        -------
        MaxSum
            The state itself.

        Raises
        ------
        TypeError
            If `other` isn't a `MaxSum`, or has another dtype.
        ValueError
            If it has another shape. The state stays as it was.
        """
        if not isinstance(other, MaxSum):
            raise TypeError(f"other must be a MaxSum, not {type(other).__name__}")
        if other.dtype != self.dtype:
            raise TypeError(f"a state of {other.dtype} can't be merged into one of {self.dtype}")
        if other.shape != self.shape:
            raise ValueError(
                f"a state of shape {other.shape} can't be merged into one of shape {self.shape}"
            )
        self._pair = _merged(self._pair, other._pair)
        return self

    def probabilities(
        self, chunk: NDArray[Any], *, axis: int = -1, out: NDArray[Any] | None = None
    ) -> NDArray[Any]:
        """``exp(chunk - logsumexp)``: softmax over all logits of the state, for those in `chunk`.

        Parameters
        ----------
        chunk, axis
            As in `update`. Logits that aren't in the sum are weighed like those that are.
        out : ndarray, optional
            Where to write the result: same shape and dtype as `chunk`, which it may be, and which
            it may overlap. Its own elements must not share memory.

        Returns
        -------
        ndarray
            Probabilities, shape and dtype of `chunk`; `out` if given.

        Raises
        ------
        TypeError, ValueError
            As in `update`; also for an `out` that doesn't fit. Nothing is written then.

        Notes
        -----
        Errors and edges are those of `online` over the whole row; in float64 the error of `s` is
        added. Rows of a state without anything above -inf, or with NaN or +inf in any chunk, are
        all NaN.

        Exponentials are NumPy's, in float64 and through a small buffer: 5 to 15 times slower than
        the kernels of `online`.
        """
        x, axis = self._checked_chunk(chunk, axis)
        target = (
            np.empty_like(x, subok=False) if out is None else checked_out(out, checked_operand(x))
        )
        m, s = (np.expand_dims(part, axis) for part in self._pair)
        write_probabilities(x, m, np.where(s > 0, s, np.nan), target)
        if out is None:
            return target
        count_write(out)
        return out

    def _checked_chunk(self, chunk: object, axis: object) -> tuple[NDArray[Any], int]:
        x = checked_array(chunk, "chunk")
        if x.dtype != self.dtype:
            raise TypeError(
                f"chunk is {x.dtype}, the state {self.dtype}; make it MaxSum(dtype='{x.dtype}'), "
                f"or pass chunk.astype('{self.dtype}')"
            )
        along = checked_axis(axis, x.ndim) % x.ndim
        rows = x.shape[:along] + x.shape[along + 1 :]
        if rows != self.shape:
            raise ValueError(
                f"chunk has shape {x.shape}, which is {rows} without axis {axis}; the state has "
                f"shape {self.shape}"
            )
        return x, along

    def __add__(self, other: object) -> Self:
        if not isinstance(other, MaxSum):
            return NotImplemented
        return copy.copy(self).merge(other)

    def __iadd__(self, other: object) -> Self:
        if not isinstance(other, MaxSum):
            return NotImplemented
        return self.merge(other)

    def __eq__(self, other: object) -> bool:
        """Whether shape, dtype, m and s are the same; NaN is the same as NaN."""
        if not isinstance(other, MaxSum):
            return NotImplemented
        return self.dtype == other.dtype and all(
            np.array_equal(a, b, equal_nan=True)
            for a, b in zip(self._pair, other._pair, strict=True)
        )

    def __repr__(self) -> str:
        m, s = self._pair
        if self.shape:
            return f"<MaxSum of {self.dtype}, a batch of shape {self.shape}>"
        return f"<MaxSum of {self.dtype}: m = {m}, s = {s}>"

    def __getstate__(self) -> Pair:
        return self._pair

    def __setstate__(self, pair: Pair) -> None:
        self._pair = _frozen(*pair)


def _frozen(m: NDArray[Any], s: Float64) -> Pair:
    """Make a pair that can't be written to."""
    for part in (m, s):
        part.setflags(write=False)
    return m, s


@np.errstate(all="ignore")
def _merged(a: Pair, b: Pair) -> Pair:
    m, s = merged(a, b, precise_factor)
    return _frozen(m, np.asarray(s))


def _checked_shape(shape: object) -> tuple[int, ...]:
    given: Any = shape
    try:
        rows = tuple(map(operator.index, (given,) if hasattr(given, "__index__") else given))
    except TypeError:
        raise TypeError(f"shape must be an integer or a tuple of them, not {shape!r}") from None
    if any(n < 0 for n in rows):
        raise ValueError(f"shape has a negative length: {rows}")
    checked_bytes(rows, np.dtype(np.float64).itemsize, "a state of this shape")
    return rows


def _checked_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    # to NumPy None means float64, which nobody asked for
    found = None if dtype is None else np.dtype(dtype)
    if found is None or found not in _DTYPES:
        raise TypeError(f"dtype must be float32 or float64, not {found}")
    return found
