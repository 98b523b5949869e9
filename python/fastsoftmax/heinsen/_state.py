"""The state of Heinsen attention: what tokens leave behind."""

import math
import operator
from os import PathLike
from typing import IO, Any, Literal, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastsoftmax import _core
from fastsoftmax._inputs.checks import checked_bytes, checked_threads
from fastsoftmax._inputs.libraries import on_device
from fastsoftmax.heinsen import _npz
from fastsoftmax.heinsen._checks import (
    Settled,
    checked_dtype,
    checked_same_tokens,
    checked_size,
    checked_tokens,
    checked_values,
    log_of,
)
from fastsoftmax.heinsen._layout import by_feature, empty
from fastsoftmax.heinsen._merge import logarithms, merge


class State(Settled):
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
        For sizes, names or dtypes other than these, and for sizes of which no array
        ``[*batch_shape, d_k, d_v]`` can be. A method that raises leaves the state as it was.
    MemoryError
        For a state that could be, but finds no room.
    AttributeError
        For sizes, `dtype` or `kind` that are assigned to: they belong to the memory of the state.

    Notes
    -----
    The first tokens decide whether a state mixes values (`v`) or values given as logarithms
    (`log_v`), which may lie anywhere and cost two to three times the memory and 12 to 18 times the
    time. From then on it takes that kind only; ValueError for the other.

    Error of an answer, relative to the same mixture of ``abs(v)``: 5e-6 (float32) or 1e-13
    (float64) after 1000 tokens; it grows with their number as sums of floats do. -inf in k skips
    that feature; -inf in log_v is a value of 0. NaN and +inf are not looked for: in k they stay in
    the feature for good, in values in the column, in q they spoil that answer. -inf in q counts
    as a very low number. An empty state answers NaN.

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

    __slots__ = ("_data", "_kind", "_zeros", "batch_shape", "d_k", "d_v", "dtype")

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
        try:
            np.empty((0,) * (len(batch) + 2))
        except ValueError:
            raise ValueError(
                f"batch_shape has {len(batch)} sizes; with tokens and features these are more than "
                "an array of NumPy has dimensions"
            ) from None
        self.batch_shape = batch
        self.d_k, self.d_v = checked_size(d_k, "d_k"), checked_size(d_v, "d_v")
        self.dtype = checked_dtype(dtype)
        self._zeros, self._kind = initial == "zeros", None
        self._data = self._start(log_values=False)

    _data: NDArray[Any]
    _kind: Literal["v", "log_v"] | None

    def _start(self, log_values: bool) -> NDArray[Any]:
        what = "a state of this batch_shape, d_k and d_v"
        checked_bytes((*self.batch_shape, self.d_k, self.d_v), self.dtype.itemsize, what)
        heads = math.prod(self.batch_shape)
        size = _core.heinsen_size(self.d_k, self.d_v, log_values)
        data = empty((heads, size), self.dtype)
        _core.heinsen_start(data, self.d_k, self.d_v, self._zeros, log_values)
        return data

    @property
    def kind(self) -> Literal["v", "log_v"] | None:
        """What the state mixes: ``"v"``, ``"log_v"``, or None before its first tokens."""
        return self._kind

    def _check_kind(self, kind: str) -> None:
        if self._kind not in (None, kind):
            raise ValueError(
                f"this state has taken {self._kind}, so it can't take {kind}; use another State"
            )

    def _become(self, kind: Any) -> None:
        """Settle on a kind that `_check_kind` has let through."""
        if self._kind is None and kind == "log_v":
            self._data = self._start(log_values=True)
        self._kind = kind

    def _settled(self) -> NDArray[Any]:
        """Return the data with no token waiting; the core keeps those that come one by one."""
        if self._data.size and self._kind == "v":
            k, v = np.empty((0, self.d_k), self.dtype), np.empty((0, self.d_v), self.dtype)
            options = (self.d_k, self.d_v, False, False, None, None)
            if _core.heinsen(self._data, None, k, v, None, *options) is False:
                raise RuntimeError("the core refused its own state: please report this")
        return self._data

    def _run(
        self,
        tokens: dict[str, NDArray[Any]],
        log_output: bool,
        threads: int | None,
        isa: str | None,
    ) -> Any:
        """Give checked tokens to the core: k and values, q, or all of them."""
        q, k = tokens.get("q"), tokens.get("k")
        v = tokens.get("v", tokens.get("log_v"))
        out = None if q is None else np.empty((*q.shape[:-1], self.d_v), self.dtype)
        log_values = self._kind == "log_v"
        if self._data.size and (q if q is not None else k).size:  # type: ignore[union-attr]
            options = (self.d_k, self.d_v, log_values, log_output and log_values)
            if _core.heinsen(self._data, q, k, v, out, *options, threads, isa) is False:
                raise RuntimeError("the core refused what had been checked: please report this")
        return out if out is None or log_values or not log_output else log_of(out)

    def _add(
        self,
        tokens: dict[str, NDArray[Any]],
        log_output: bool,
        threads: int | None,
        isa: str | None,
    ) -> Any:
        """Give the core tokens, the last of them values; undecided as before if it refuses."""
        before = self._kind, self._data
        self._become(list(tokens)[-1])
        try:
            return self._run(tokens, log_output, threads, isa)
        except Exception:
            self._kind, self._data = before
            raise

    def _checked(self, tokens: dict[str, object], values: tuple[object, object]) -> Any:
        """Tokens by name, all of a number, fit for this state."""
        v, log_v = values
        widths = dict.fromkeys(tokens, self.d_k)
        if "k" in tokens:
            name, value = checked_values(v, log_v)
            self._check_kind(name)
            tokens, widths = {**tokens, name: value}, {**widths, name: self.d_v}
        arrays = {
            name: checked_tokens(value, name, self.batch_shape, widths[name], self.dtype)
            for name, value in tokens.items()
        }
        checked_same_tokens(arrays, len(self.batch_shape))
        return arrays

    def update(
        self,
        k: object,
        v: object = None,
        *,
        log_v: object = None,
        threads: int | None = None,
        isa: str | None = None,
    ) -> Self:
        """Add tokens: ``[*batch, d_k]`` and ``[*batch, d_v]``, or chunks ``[*batch, n, ...]``.

        Their values are `v`, or the logarithms `log_v`: one of them. Returns the state itself.
        `isa` is for tests.
        """
        tokens, count = self._checked({"k": k}, (v, log_v)), checked_threads(threads)
        self._add(tokens, False, count, isa)
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
        tokens = self._checked({"q": q}, (None, None))
        return self._run(tokens, log_output, checked_threads(threads), isa)

    def step(self, q: Any, k: Any, v: Any = None, *, log_v: Any = None) -> Any:
        """Add one token, or a chunk, then answer the query of each: one step of decoding.

        The same as `update` and `attend`, token after token, in one pass over the state.
        """
        if self._kind == "v" and log_v is None:
            y = _core.heinsen_step(self._data, q, k, v, self.batch_shape, self.d_k, self.d_v)
            if y is not False:
                return y
        return self._steps(q, k, v, log_v)

    def _steps(
        self,
        q: object,
        k: object,
        v: object,
        log_v: object,
        *,
        log_output: bool = False,
        threads: int | None = None,
        isa: str | None = None,
    ) -> Any:
        tokens = self._checked({"q": q, "k": k}, (v, log_v))
        count = checked_threads(threads)
        return self._add(tokens, log_output, count, isa)

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
        like = self._check_like(other)
        if like._kind is None or self._kind is None:
            like = like.copy()
            like._become(self._kind or like._kind)
        self._check_kind(like._kind or "v")
        before = self._kind, self._data
        self._become(like._kind)
        try:
            merge(self._settled(), like._settled(), self.d_k, self.d_v, self._kind == "log_v")
        except Exception:
            self._kind, self._data = before
            raise
        return self

    def to_log(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the paper's log states H_S ``[*batch, d_k, d_v]`` and H_Z ``[*batch, d_k]``.

        ValueError if values mix to a negative sum, which has no real logarithm.
        """
        H_S, H_Z = logarithms(self._settled(), self.d_k, self.d_v, self._kind == "log_v")
        keys = (*self.batch_shape, self.d_k)
        return (
            by_feature(H_S, self.d_k, self.d_v).reshape(*keys, self.d_v),
            np.ascontiguousarray(H_Z[:, : self.d_k]).reshape(keys),
        )

    def copy(self) -> Self:
        """Return an independent state that has seen the same tokens."""
        new = type(self)(self.batch_shape, self.d_k, self.d_v, dtype=self.dtype)
        new._data = empty(self._data.shape, self.dtype)
        new._data[:] = self._data
        new._kind, new._zeros = self._kind, self._zeros
        return new

    def on(self, like: Any) -> Any:
        """Return a copy on the CUDA device of an array, with `update`, `attend` and `step` there.

        They take arrays of that device, and `stream`. Raises as `online` does for such an array.
        """
        if not on_device(like):
            raise TypeError(f"on takes an array on a CUDA device, not {type(like).__name__}")
        from fastsoftmax._device.heinsen import DeviceState

        shape = (self.batch_shape, self.d_k, self.d_v, self.dtype.name)
        return DeviceState(like, *shape).take(self._settled(), self._kind, self._zeros)

    __copy__ = copy

    def __deepcopy__(self, memo: object) -> Self:
        """Return `copy`."""
        return self.copy()

    def save(self, file: str | PathLike[str] | IO[bytes]) -> None:
        """Write what the state holds to a ``.npz`` file, of exactly the name that is given.

        At a path is the old file or all of the new one, whatever happens. A symbolic link is
        followed, and the mode of an old file is kept. OSError if it can't be written.
        """
        _npz.write(self, file)

    @classmethod
    def load(cls, file: str | PathLike[str] | IO[bytes]) -> Self:
        """Read what `save` wrote, and check its sizes and numbers; nothing in it is executed.

        Of a path that doesn't exist, ``.npz`` is added. OSError if the file can't be read,
        ValueError if it is another, is damaged, or inflates to more than 2^31 bytes.
        """
        return _npz.read(cls, file)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the bytes that `save` writes."""
        return _npz.from_bytes, (type(self), _npz.to_bytes(self))

    def __repr__(self) -> str:
        """Shape and dtype."""
        return f"State({self.batch_shape}, d_k={self.d_k}, d_v={self.d_v}, dtype={self.dtype})"
