"""Heinsen attention with a state that lies on a CUDA device."""

import math
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fastsoftmax._device.inputs import FLOATS, Place
from fastsoftmax.heinsen._checks import Kind, Settled, checked_values
from fastsoftmax.heinsen._layout import excess, panels, weights


class DeviceState(Settled):
    """A `State` on the CUDA device of an array; `State.on` makes one.

    Tokens are arrays of that device and results come from their library; kernels go to its current
    stream, or to `stream`. Shapes, numbers and errors are those of `State`. Tokens of other floats
    are cast to the dtype of the state. Its kind, values or their logarithms, is that of its first
    tokens.
    """

    _kind: Kind | None = None
    _data: Any
    _zeros = False

    def __init__(self, like: Any, batch: tuple[int, ...], d_k: int, d_v: int, dtype: str) -> None:
        self.like, self.batch_shape, self.d_k, self.d_v = like, batch, d_k, d_v
        self.dtype = dtype
        self.heads = math.prod(batch)

    def _place(self, stream: Any) -> Place:
        return Place(self.like, "the state", stream)

    def _memory(self, place: Place, kind: str | None) -> Any:
        size = self._size(place, kind)
        return place.library.empty((self.heads, size), place.library.dtype(self.dtype))

    def _size(self, place: Place, kind: str | None) -> int:
        """Elements of a head's state, or refuse more than kernels count."""
        most = 2**31 - 1
        fits = max(self.d_k, self.d_v) <= most
        size = place.cuda.heinsen_size(self.d_k, self.d_v, kind == "log_v") if fits else most + 1
        if size > most:
            raise ValueError(
                f"a state of d_k = {self.d_k} and d_v = {self.d_v} is too large for a CUDA device: "
                f"a head has at most {most} elements there, d_k * d_v and those of each feature, "
                "three times as many for log_v"
            )
        return size

    def _started(self, place: Place, kind: str | None, zeros: bool) -> Any:
        """Memory of a state that has seen nothing, or the phantom token of eq. 7."""
        data = self._memory(place, kind)
        if self.heads:
            states = place.seen(data, "the state")
            place.cuda.heinsen_start(
                states, self.d_k, self.d_v, zeros, kind == "log_v", place.stream
            )
        return data

    def start(self, stream: Any = None, *, zeros: bool = False) -> Self:
        """Forget every token."""
        place = self._place(stream)
        with place.library.using(place.stream):
            self._zeros, self._kind = zeros, None
            self._data = self._started(place, None, zeros)
        return self

    def take(self, data: NDArray[Any], kind: Kind | None, zeros: bool) -> Self:
        """Go on from the memory of a `State` that has no token waiting."""
        place = self._place(None)
        logs = kind == "log_v"
        self._size(place, kind)
        parts = [*weights(data, self.d_k), *([excess(data, self.d_k)] if logs else [])]
        for panel in panels(data, self.d_k, self.d_v, logs):
            parts.append(panel.transpose(0, 2, 1, 3).reshape(self.heads, -1))
        self._data = place.library.upload(np.concatenate(parts, axis=1))
        self._kind, self._zeros = kind, zeros
        return self

    def _tokens(self, place: Place, value: Any, name: str, width: int) -> tuple[Any, Any]:
        """[heads, n, width] as the kernel takes it, and the shape before the width."""
        seen = place.seen(value, name)
        rank = len(self.batch_shape)
        wanted = (*self.batch_shape, width)
        if seen.shape != wanted and not (
            len(seen.shape) == rank + 2
            and seen.shape[:rank] == self.batch_shape
            and seen.shape[-1] == width
        ):
            shown = ", ".join([*map(str, self.batch_shape), "n", str(width)])
            raise ValueError(
                f"{name} has shape {seen.shape}; this state takes {wanted}, one token, or "
                f"({shown}), a chunk of n"
            )
        if seen.dtype not in FLOATS:
            raise TypeError(f"{name} must be {', '.join(FLOATS)}, not {seen.dtype}")
        library = place.library
        flat = library.reshaped(value, (self.heads, math.prod(seen.shape[rank:-1]), width))
        if seen.dtype != self.dtype:
            flat = library.cast(flat, library.dtype(self.dtype))
        tokens = place.seen(flat, name)
        if not tokens.contiguous:
            tokens = place.seen(library.copy_rows(flat, 2), name)
        return tokens, seen.shape[:-1]

    def _run(
        self,
        q: Any,
        k: Any,
        values: tuple[Any, Any],
        stream: Any,
        *,
        log_output: bool = False,
        advance: bool = True,
    ) -> Any:
        place = self._place(stream)
        library = place.library
        name, v = (self._kind or "v", None) if k is None else checked_values(*values)
        self._check_kind(name)
        logs = name == "log_v"
        if log_output and not logs:
            raise ValueError(
                "log_output on a CUDA device needs log_v: whether an answer is negative isn't "
                "looked at there; take the logarithm of the answers"
            )
        with library.using(place.stream):
            given = {"q": (q, self.d_k), "k": (k, self.d_k), name: (v, self.d_v)}
            tokens = {
                name: self._tokens(place, value, name, width)
                for name, (value, width) in given.items()
                if value is not None
            }
            shapes = {name: shape[len(self.batch_shape) :] for name, (_, shape) in tokens.items()}
            if len(set(shapes.values())) > 1:
                told = ", ".join(f"{name} {shape or 'one'}" for name, shape in shapes.items())
                raise ValueError(f"numbers of tokens differ: {told}; they must be the same")
            queries, keys, mixed = (tokens.get(name, (None,))[0] for name in given)
            before = self._data
            if logs and self._kind is None:
                before = self._started(place, name, self._zeros)
            y = answers = None
            if queries is not None:
                shape = (*queries.shape[:2], self.d_v)
                y = library.empty(shape, library.dtype(self.dtype))
                answers = place.seen(y, "a result")
            after = self._memory(place, name) if keys is not None else before
            if 0 not in next(iter(tokens.values()))[0].shape:
                place.cuda.heinsen(
                    place.seen(before, "the state"),
                    place.seen(after, "the state"),
                    queries,
                    keys,
                    mixed,
                    self.d_k,
                    self.d_v,
                    logs,
                    log_output,
                    answers,
                    place.stream,
                )
            else:
                after = before
            if advance and keys is not None:
                self._data, self._kind = after, name
        return None if y is None else library.reshaped(y, (*tokens["q"][1], self.d_v))

    def update(self, k: Any, v: Any = None, *, log_v: Any = None, stream: Any = None) -> Self:
        """Add tokens.

        Parameters
        ----------
        k, v, log_v : array on the device
            As in `State.update`.
        stream : optional
            As in `online`.

        Returns
        -------
        DeviceState
            The state itself.

        Raises
        ------
        TypeError, ValueError
            As `State.update`.
        """
        self._run(None, k, (v, log_v), stream)
        return self

    def attend(self, q: Any, *, log_output: bool = False, stream: Any = None) -> Any:
        """Answer queries from all tokens so far.

        Parameters
        ----------
        q : array on the device
            As in `State.attend`.
        log_output : bool
            Return the logarithms of the answers: for a state of `log_v` only.
        stream : optional
            As in `online`.

        Returns
        -------
        array on the device
            As `State.attend`.

        Raises
        ------
        TypeError, ValueError
            As `State.attend`.
        """
        return self._run(q, None, (None, None), stream, log_output=log_output)

    def step(self, q: Any, k: Any, v: Any = None, *, log_v: Any = None, stream: Any = None) -> Any:
        """Add a token, or a chunk, and answer the query of each.

        Parameters
        ----------
        q, k, v, log_v : array on the device
            As in `State.step`.
        stream : optional
            As in `online`.

        Returns
        -------
        array on the device
            As `State.step`.

        Raises
        ------
        TypeError, ValueError
            As `State.step`.
        """
        return self._run(q, k, (v, log_v), stream)

    def copy(self) -> "DeviceState":
        """Return an independent state; an update writes to new memory, so this one is shared."""
        new = DeviceState(self.like, self.batch_shape, self.d_k, self.d_v, self.dtype)
        new._data, new._kind, new._zeros = self._data, self._kind, self._zeros
        return new


def attention(
    q: Any,
    k: Any,
    values: tuple[Any, Any],
    causal: bool,
    state: Any,
    return_state: bool,
    log_output: bool,
    stream: Any = None,
) -> Any:
    """Attend as `heinsen.attention` does, on the device of `q`; halves in float32."""
    place = Place(q, "q", stream)
    name, v = checked_values(*values)
    shapes = {name: place.seen(a, name).shape for name, a in (("q", q), ("k", k), (name, v))}
    if min(map(len, shapes.values())) < 2:
        raise ValueError(f"q, k and {name} need at least two dimensions: [*batch, n, width]")
    if state is None:
        dtype = "float64" if place.seen(q, "q").dtype == "float64" else "float32"
        batch, d_k, d_v = shapes["q"][:-2], shapes["q"][-1], shapes[name][-1]
        after = DeviceState(q, batch, d_k, d_v, dtype).start(stream)
    elif isinstance(state, DeviceState):
        after = state.copy()
    else:
        raise TypeError("state must be a DeviceState for arrays on a CUDA device: see State.on")
    if causal:
        y = after._run(q, k, values, stream, log_output=log_output, advance=return_state)
    else:
        after._run(None, k, values, stream)
        y = after.attend(q, log_output=log_output, stream=stream)
    with place.library.using(place.stream):
        y = y if y.dtype == q.dtype else place.library.cast(y, q.dtype)
    return (y, after) if return_state else y
