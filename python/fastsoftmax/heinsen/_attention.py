"""Heinsen attention of whole sequences."""

from typing import Any

import numpy as np

from fastsoftmax.heinsen._checks import checked_floats, is_half, log_of
from fastsoftmax.heinsen._state import State


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
