"""The state of Heinsen attention: what tokens leave behind."""

import operator
from os import PathLike
from typing import IO, Any, Literal, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastsoftmax import _core
from fastsoftmax._arrays import checked_threads
from fastsoftmax.heinsen import _files
from fastsoftmax.heinsen._checks import (
    checked_dtype,
    checked_same_tokens,
    checked_size,
    checked_tokens,
    log_of,
)

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
        """Write what the state holds to a ``.npz`` file."""
        _files.write(self, file)

    @classmethod
    def load(cls, file: str | PathLike[str] | IO[bytes]) -> Self:
        """Read what `save` wrote. Nothing in the file is executed; ValueError if it is another."""
        return _files.read(cls, file)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the bytes that `save` writes."""
        return _files.from_bytes, (type(self), _files.to_bytes(self))

    def __repr__(self) -> str:
        """Shape and dtype."""
        return f"State({self.batch_shape}, d_k={self.d_k}, d_v={self.d_v}, dtype={self.dtype})"
