"""The memory of a state of Heinsen attention, and what the compiled core does with it."""

import math
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastsoftmax import _core
from fastsoftmax._inputs.checks import checked_bytes, checked_threads
from fastsoftmax.heinsen._checks import (
    Settled,
    checked_batch,
    checked_dtype,
    checked_same_tokens,
    checked_size,
    checked_tokens,
    checked_values,
    log_of,
)
from fastsoftmax.heinsen._layout import empty
from fastsoftmax.heinsen._merge import merge


class Memory(Settled):
    """What `State` is made of: sizes, numbers, and steps that leave all as it was if they fail.

    `State` documents the arguments. `_data` is [heads, elements of a state].
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
        self.batch_shape = checked_batch(batch_shape)
        self.d_k, self.d_v = checked_size(d_k, "d_k"), checked_size(d_v, "d_v")
        self.dtype = checked_dtype(dtype)
        self._zeros, self._kind = initial == "zeros", None
        self._data = self._start(log_values=False)

    _data: NDArray[Any]

    def _start(self, log_values: bool) -> NDArray[Any]:
        what = "a state of this batch_shape, d_k and d_v"
        checked_bytes((*self.batch_shape, self.d_k, self.d_v), self.dtype.itemsize, what)
        heads = math.prod(self.batch_shape)
        size = _core.heinsen_size(self.d_k, self.d_v, log_values)
        data = empty((heads, size), self.dtype)
        _core.heinsen_start(data, self.d_k, self.d_v, self._zeros, log_values)
        return data

    def _become(self, kind: Any) -> None:
        """Settle on a kind that `_check_kind` has let through."""
        if self._kind is None and kind == "log_v":
            self._data = self._start(log_values=True)
        self._kind = kind

    def _settled(self) -> NDArray[Any]:
        """Return the data with no token waiting; the core keeps those that come one by one."""
        if self._data.size and self._kind == "v":
            k, v = np.empty((0, self.d_k), self.dtype), np.empty((0, self.d_v), self.dtype)
            layout = (self.d_k, self.d_v, False, False)
            if _core.heinsen(self._data, None, k, v, *layout, None, None, None) is False:
                raise RuntimeError("the core refused its own state: please report this")
        return self._data

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
            layout = (self.d_k, self.d_v, log_values, log_output and log_values)
            if _core.heinsen(self._data, q, k, v, *layout, out, threads, isa) is False:
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
        """Add tokens and answer the query of each; the arrays are those of `State.step`."""
        tokens = self._checked({"q": q, "k": k}, (v, log_v))
        return self._add(tokens, log_output, checked_threads(threads), isa)

    def _merge(self, other: object) -> None:
        """Add all tokens of another memory, which must have the same sizes and dtype."""
        if not isinstance(other, Memory):
            raise TypeError(f"a State merges with a State, not with {type(other).__name__}")
        mine = (self.batch_shape, self.d_k, self.d_v, self.dtype)
        theirs = (other.batch_shape, other.d_k, other.d_v, other.dtype)
        if mine != theirs:
            raise ValueError(
                f"states differ in (batch_shape, d_k, d_v, dtype): {mine} and {theirs}"
            )
        if other._kind is None or self._kind is None:
            other = other.copy()
            other._become(self._kind or other._kind)
        self._check_kind(other._kind or "v")
        before = self._kind, self._data
        self._become(other._kind)
        try:
            merge(self._settled(), other._settled(), self.d_k, self.d_v, self._kind == "log_v")
        except Exception:
            self._kind, self._data = before
            raise

    def copy(self) -> Self:
        """Return an independent state that has seen the same tokens."""
        new = type(self)(self.batch_shape, self.d_k, self.d_v, dtype=self.dtype)
        new._data = empty(self._data.shape, self.dtype)
        new._data[:] = self._data
        new._kind, new._zeros = self._kind, self._zeros
        return new

    __copy__ = copy

    def __deepcopy__(self, memo: object) -> Self:
        """Return `copy`."""
        return self.copy()
