"""Heinsen attention of whole sequences."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsoftmax._inputs.libraries import on_device
from fastsoftmax.heinsen._checks import checked_floats, checked_values, is_half
from fastsoftmax.heinsen._state import State


def attention(
    q: object,
    k: object,
    v: object = None,
    *,
    log_v: object = None,
    causal: bool = True,
    state: Any = None,
    return_state: bool = False,
    log_output: bool = False,
    threads: int | None = None,
    stream: Any = None,
    isa: str | None = None,
) -> Any:
    """Heinsen attention of whole sequences, in memory of one state beside inputs and result.

    Parameters
    ----------
    q, k, v : ndarray of float
        ``[*batch, n_q, d_k]``, ``[*batch, n, d_k]``, ``[*batch, n, d_v]``. Halves are computed in
        float32. ``n_q`` may differ from ``n`` unless `causal`. Or arrays on a CUDA device, as
        `online` takes them: then a state is one that this function returned, or `State.on` did.
    log_v : ndarray of float, instead of `v`
        Logarithms of values, which may lie anywhere: 12 to 18 times the time. y is beyond the
        range of float32 where its logarithm is beyond +-87: use `log_output`.
    causal : bool
        Query t sees tokens 0..t and what `state` has seen; otherwise every query sees all.
    state : State, optional
        What came before; it is not changed.
    return_state : bool
        Return ``(y, state after the last token)``.
    log_output : bool
        Return log y; ValueError if an answer is negative. On a CUDA device with `log_v` only.
    threads : int, optional
        At most so many, over batch and heads. Bits don't depend on it.
    stream : optional
        As in `online`, for arrays on a CUDA device.
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
    if on_device(q, stream):
        from fastsoftmax._device import heinsen as device

        return device.attention(q, k, (v, log_v), causal, state, return_state, log_output, stream)
    name, values = checked_values(v, log_v)
    tokens = {
        name: checked_floats(array, name) for name, array in (("q", q), ("k", k), (name, values))
    }
    after = _start(tokens, state)
    queries = tokens["q"]
    options: Any = {"log_output": log_output, "threads": threads, "isa": isa}
    kinds: Any = {"v": None, "log_v": None, name: tokens[name]}
    if causal:
        y = after._steps(queries, tokens["k"], **kinds, **options)
    else:
        after.attend(queries[..., :0, :])  # refuses a q that doesn't fit before anything is done
        after.update(tokens["k"], **kinds, threads=threads, isa=isa)
        y = after.attend(queries, **options)
    y = y.astype(queries.dtype, copy=False)
    return (y, after) if return_state else y


def _start(tokens: dict[str, NDArray[Any]], state: State | None) -> State:
    """Return a copy of `state`, or an empty one that the tokens fit."""
    for name, array in tokens.items():
        if array.ndim < 2:
            raise ValueError(f"{name} has shape {array.shape}; wanted [*batch, n, width]")
    queries, keys, values = tokens.values()
    if isinstance(state, State):
        after = state.copy()
    elif state is None:
        dtype = np.dtype(np.float32) if is_half(queries) else queries.dtype
        after = State(keys.shape[:-2], keys.shape[-1], values.shape[-1], dtype=dtype)
    else:
        raise TypeError(f"state must be a heinsen.State, not {type(state).__name__}")
    rank = len(after.batch_shape) + 2
    for name, array in tokens.items():
        if array.ndim != rank:
            raise ValueError(
                f"{name} has shape {array.shape}; the batch is {after.batch_shape}, so it needs "
                f"{rank} dimensions"
            )
    return after
