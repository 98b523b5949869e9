"""Softmax attention with a state of constant size: time and memory per token don't grow.

Attention of the features ``exp(q)`` and ``exp(k)`` (Heinsen, arXiv 2404.05843, eq. 1):

    y = sum_t sum_i exp(q_i + k_ti) v_t / sum_t sum_i exp(q_i + k_ti)

The sums over tokens t are kept for each feature i below its maximum, as online softmax keeps its
normaliser, with the values carried along; so values of any sign are fine and nothing overflows.

>>> import numpy as np
>>> from fastsoftmax import heinsen
>>> state = heinsen.State((), d_k=2, d_v=1)
>>> zero = np.zeros(2, np.float32)
>>> [float(state.step(zero, zero, np.float32([v]))[0]) for v in (1, 2, 6)]
[1.0, 1.5, 3.0]
"""

import io
import operator
from os import PathLike
from typing import IO, Any, Literal, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastsoftmax import _core
from fastsoftmax._arrays import checked_threads
from fastsoftmax._heinsen_arrays import (
    checked_dtype,
    checked_floats,
    checked_same_tokens,
    checked_size,
    checked_tokens,
    is_half,
    log_of,
)

__all__ = ["State", "attention"]

Parts = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


class State:
    """What the tokens so far leave behind: for each key feature a maximum, a sum and mixed values.

    Parameters
    ----------
    batch_shape : tuple of int
        Independent heads and sequences; ``()`` for one.
    d_k, d_v : int
        Widths of keys (and queries) and of values.
    initial : {"empty", "zeros"}
        ``"empty"`` has seen nothing (eq. 3 and 4, and the public implementation). ``"zeros"`` is
        eq. 7 to the letter: a phantom token of key 0 and value 1.
    dtype : float32 or float64
        Of the state and the answers. Half tokens are converted; other dtypes are refused.

    Raises
    ------
    TypeError, ValueError
        For sizes, names or dtypes other than these. A method that raises leaves the state as it
        was.

    Notes
    -----
    Error of an answer, relative to the same mixture of ``abs(v)``: 5e-6 (float32) or 1e-13
    (float64) after 1000 tokens; it grows with their number as sums of floats do. -inf in k skips
    that feature. NaN and +inf are not looked for: in k they stay in the feature for good, in q
    they spoil that answer. -inf in q counts as a very low number. An empty state answers NaN.

    Two threads must not use one state at once. Merge states of disjoint tokens instead.

    References
    ----------
    Heinsen, "Softmax Attention with Constant Cost per Token", arXiv 2404.05843.

    Examples
    --------
    >>> import numpy as np
    >>> keys, values = np.zeros((3, 2), np.float32), np.float32([[1], [2], [6]])
    >>> state = State((), 2, 1).update(keys, values)
    >>> state.attend(np.zeros(2, np.float32)).tolist()
    [3.0]
    """

    __slots__ = ("_data", "_key", "_value", "batch_shape", "d_k", "d_v", "dtype")

    def __init__(
        self,
        batch_shape: tuple[int, ...],
        d_k: int,
        d_v: int,
        *,
        initial: Literal["empty", "zeros"] = "empty",
        dtype: DTypeLike = np.float32,
    ) -> None:
        if initial not in ("empty", "zeros"):
            raise ValueError(f"initial must be 'empty' or 'zeros', not {initial!r}")
        try:
            batch = tuple(operator.index(size) for size in batch_shape)
        except TypeError:
            raise TypeError(
                f"batch_shape must be a tuple of integers, not {batch_shape!r}"
            ) from None
        if any(size < 0 for size in batch):
            raise ValueError(f"batch_shape is {batch}; sizes must not be negative")
        self.batch_shape = batch
        self.d_k, self.d_v = checked_size(d_k, "d_k"), checked_size(d_v, "d_v")
        self.dtype = checked_dtype(dtype)
        self._key, self._value = (*batch, self.d_k), (*batch, self.d_v)
        heads = int(np.prod(batch, dtype=np.int64))
        size = _core.heinsen_size(self.d_k, self.d_v)
        self._data: NDArray[Any] = np.empty((heads, size), self.dtype)
        _core.heinsen_start(self._data, self.d_k, self.d_v, initial == "zeros")

    def _parts(self) -> Parts:
        """Return views of m, z and A."""
        rows = -(-self.d_k // 16) * 16
        m, z, A = np.split(self._data, (rows, 2 * rows), axis=1)
        A = A.reshape(len(A), rows, -(-self.d_v // 16) * 16) if A.size else A.reshape(0, rows, 16)
        return m[:, : self.d_k], z[:, : self.d_k], A[:, : self.d_k, : self.d_v]

    def _run(
        self,
        q: NDArray[Any] | None,
        k: NDArray[Any] | None,
        v: NDArray[Any] | None,
        threads: int | None = None,
        isa: str | None = None,
    ) -> Any:
        out = None if q is None else np.empty((*q.shape[:-1], self.d_v), self.dtype)
        if self._data.size and (q if q is not None else k).size:  # type: ignore[union-attr]
            done = _core.heinsen(self._data, q, k, v, out, self.d_k, self.d_v, threads, isa)
            if done is False:
                raise RuntimeError("the core refused what had been checked: please report this")
        return out

    def _tokens(self, value: object, name: str, width: int) -> NDArray[Any]:
        return checked_tokens(value, name, self.batch_shape, width, self.dtype)

    def update(
        self, k: object, v: object, *, threads: int | None = None, isa: str | None = None
    ) -> Self:
        """Add tokens: ``[*batch, d_k]`` and ``[*batch, d_v]``, or chunks ``[*batch, n, ...]``.

        Returns the state itself. `isa` is for tests.
        """
        keys, values = self._tokens(k, "k", self.d_k), self._tokens(v, "v", self.d_v)
        checked_same_tokens({"k": keys, "v": values}, len(self.batch_shape))
        self._run(None, keys, values, checked_threads(threads), isa)
        return self

    def attend(
        self,
        q: object,
        *,
        log_output: bool = False,
        threads: int | None = None,
        isa: str | None = None,
    ) -> Any:
        """Answer queries ``[*batch, d_k]`` or ``[*batch, n, d_k]`` from all tokens so far.

        With `log_output` the logarithm of the answers; ValueError if one of them is negative.
        """
        queries = self._tokens(q, "q", self.d_k)
        y = self._run(queries, None, None, checked_threads(threads), isa)
        return log_of(y) if log_output else y

    def step(self, q: Any, k: Any, v: Any) -> Any:
        """Add one token, or a chunk, then answer the query of each: one step of decoding.

        The same as `update` and `attend`, token after token, in one pass over the state.
        """
        try:
            if q.shape == self._key and k.shape == self._key and v.shape == self._value:
                y = _core.heinsen(
                    self._data,
                    q,
                    k,
                    v,
                    np.empty(v.shape, self.dtype),
                    self.d_k,
                    self.d_v,
                    None,
                    None,
                )
                if y is not False:
                    return y
        except AttributeError:
            pass  # no arrays: said in words below
        return self._steps(q, k, v, None, None)

    def _steps(self, q: object, k: object, v: object, threads: int | None, isa: str | None) -> Any:
        queries, keys = self._tokens(q, "q", self.d_k), self._tokens(k, "k", self.d_k)
        values = self._tokens(v, "v", self.d_v)
        checked_same_tokens({"q": queries, "k": keys, "v": values}, len(self.batch_shape))
        return self._run(queries, keys, values, checked_threads(threads), isa)

    def _check_like(self, other: object) -> "State":
        if not isinstance(other, State):
            raise TypeError(f"a State merges with a State, not with {type(other).__name__}")
        mine = (self.batch_shape, self.d_k, self.d_v, self.dtype)
        theirs = (other.batch_shape, other.d_k, other.d_v, other.dtype)
        if mine != theirs:
            raise ValueError(
                f"states differ in (batch_shape, d_k, d_v, dtype): {mine} and {theirs}"
            )
        return other

    def merge(self, other: "State") -> Self:
        """Add all tokens that another state has seen, and return this one.

        Tokens in both count twice: of two states with ``initial="zeros"`` the phantom, too.
        """
        m, z, A = self._parts()
        m2, z2, A2 = self._check_like(other)._parts()
        top = np.maximum(m, m2)
        mine, theirs = np.exp(m - top), np.exp(m2 - top)
        z[...] = z * mine + z2 * theirs
        A[...] = A * mine[..., None] + A2 * theirs[..., None]
        m[...] = top
        return self

    def to_log(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the paper's log states H_S ``[*batch, d_k, d_v]`` and H_Z ``[*batch, d_k]``.

        ValueError if values mix to a negative sum, which has no real logarithm.
        """
        m, z, A = self._parts()
        if np.any(A < 0):
            raise ValueError("a sum of values is negative, so H_S is not real; H_S needs v >= 0")
        with np.errstate(divide="ignore"):
            H_S, H_Z = m[..., None] + np.log(A), m + np.log(z)
        return H_S.reshape(*self._key, self.d_v), H_Z.reshape(self._key)

    def copy(self) -> Self:
        """Return an independent state that has seen the same tokens."""
        new = type(self)(self.batch_shape, self.d_k, self.d_v, dtype=self.dtype)
        new._data[...] = self._data
        return new

    __copy__ = copy

    def __deepcopy__(self, memo: object) -> Self:
        """Return `copy`."""
        return self.copy()

    def save(self, file: str | PathLike[str] | IO[bytes]) -> None:
        """Write m, z and A to a ``.npz`` file."""
        m, z, A = self._parts()
        np.savez(file, batch_shape=np.array(self.batch_shape, np.int64), m=m, z=z, A=A)

    @classmethod
    def load(cls, file: str | PathLike[str] | IO[bytes]) -> Self:
        """Read what `save` wrote. Nothing in the file is executed; ValueError if it is another."""
        with np.load(file, allow_pickle=False) as found:
            missing = {"batch_shape", "m", "z", "A"} - set(found.files)
            if missing:
                raise ValueError(f"no saved State: the file lacks {', '.join(sorted(missing))}")
            batch, m, z, A = (found[name] for name in ("batch_shape", "m", "z", "A"))
        if A.ndim != 3:
            raise ValueError(f"no saved State: A has {A.ndim} dimensions, not 3")
        new = cls(tuple(batch.tolist()), A.shape[1], A.shape[2], dtype=A.dtype)
        for name, part, value in zip("mzA", new._parts(), (m, z, A), strict=True):
            if part.shape != value.shape or part.dtype != value.dtype:
                raise ValueError(f"no saved State: {name} is {value.dtype} {value.shape}")
            part[...] = value
        return new

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the bytes that `save` writes."""
        file = io.BytesIO()
        self.save(file)
        return _from_bytes, (file.getvalue(),)

    def __repr__(self) -> str:
        """Shape and dtype."""
        return f"State({self.batch_shape}, d_k={self.d_k}, d_v={self.d_v}, dtype={self.dtype})"


def _from_bytes(data: bytes) -> State:
    return State.load(io.BytesIO(data))


def attention(
    q: object,
    k: object,
    v: object,
    *,
    causal: bool = True,
    state: State | None = None,
    return_state: bool = False,
    log_output: bool = False,
    threads: int | None = None,
    isa: str | None = None,
) -> Any:
    """Heinsen attention of whole sequences, in memory of one state beside inputs and result.

    Parameters
    ----------
    q, k, v : ndarray of float
        ``[*batch, n_q, d_k]``, ``[*batch, n, d_k]``, ``[*batch, n, d_v]``. Halves are computed in
        float32. ``n_q`` may differ from ``n`` unless `causal`.
    causal : bool
        Query t sees tokens 0..t and what `state` has seen; otherwise every query sees all.
    state : State, optional
        What came before; it is not changed.
    return_state : bool
        Return ``(y, state after the last token)``.
    log_output : bool
        Return log y; ValueError if an answer is negative.
    threads : int, optional
        At most so many, over batch and heads. Bits don't depend on it.
    isa : str, optional
        For tests.

    Returns
    -------
    ndarray
        ``[*batch, n_q, d_v]`` in the dtype of `q`.

    Raises
    ------
    TypeError, ValueError
        For arrays or a state that don't fit together, named in the message.

    Notes
    -----
    Error bound, edge inputs and source are those of `State`.

    Examples
    --------
    >>> import numpy as np
    >>> zeros, values = np.zeros((3, 2), np.float32), np.float32([[1], [2], [6]])
    >>> attention(zeros, zeros, values).ravel().tolist()
    [1.0, 1.5, 3.0]
    """
    queries, keys = checked_floats(q, "q"), checked_floats(k, "k")
    values = checked_floats(v, "v")
    for name, array in (("q", queries), ("k", keys), ("v", values)):
        if array.ndim < 2:
            raise ValueError(f"{name} has shape {array.shape}; wanted [*batch, n, width]")
    dtype = np.dtype(np.float32) if is_half(queries) else queries.dtype
    if state is None:
        after = State(keys.shape[:-2], keys.shape[-1], values.shape[-1], dtype=dtype)
    elif isinstance(state, State):
        after = state.copy()
    else:
        raise TypeError(f"state must be a heinsen.State, not {type(state).__name__}")
    for name, array in (("q", queries), ("k", keys), ("v", values)):
        if array.ndim != len(after.batch_shape) + 2:
            raise ValueError(
                f"{name} has shape {array.shape}; the batch is {after.batch_shape}, so it needs "
                f"{len(after.batch_shape) + 2} dimensions"
            )
    if causal:
        y = after._steps(queries, keys, values, threads, isa)
    else:
        after.attend(queries[..., :0, :])  # refuses a q that doesn't fit before anything is done
        after.update(keys, values, threads=threads, isa=isa)
        y = after.attend(queries, threads=threads, isa=isa)
    y = log_of(y) if log_output else y
    y = y.astype(queries.dtype, copy=False)
    return (y, after) if return_state else y
