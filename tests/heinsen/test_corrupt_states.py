"""States whose memory says what no state says: nothing beyond it is written."""

import itertools
from typing import Any

import fastsoftmax as fs
import numpy as np
import pytest
from fastsoftmax import heinsen
from fastsoftmax.heinsen._layout import WAITING, empty, padded

#: How many tokens wait, as a corrupt state may have it.
COUNTS = (-1.0, 0.5, 7.5, WAITING, WAITING + 1, 60.0, 4000.0, 1e9, 3e38, np.inf, -np.inf, np.nan)
D_K, D_V = 20, 33
RNG = np.random.default_rng(0)


def corrupt(dtype: Any, count: float, heads: int) -> tuple[heinsen.State, Any]:
    """Return a state with that many tokens waiting, and the memory in which it lies."""
    state = heinsen.State((heads,), D_K, D_V, dtype=dtype)
    q, k, v = (RNG.standard_normal((heads, 3, d)).astype(dtype) for d in (D_K, D_K, D_V))
    state.step(q, k, v)
    size = state._data.shape[1]
    memory = empty((3 * heads, size), state.dtype)
    memory[...] = 7
    memory[heads : 2 * heads] = state._data
    state._data = memory[heads : 2 * heads]
    state._data[:, 2 * padded(D_K)] = count
    return state, memory


@pytest.mark.parametrize("heads", [1, 5])
def test_any_number_of_waiting_tokens(heinsen_kernel: fs.Kernel, heads: int) -> None:
    """Every way to take tokens, until as many have come as may wait."""
    dtype, isa = heinsen_kernel.dtype, heinsen_kernel.isa
    for count, n in itertools.product(COUNTS, (0, 2)):
        shape = (heads, n) if n else (heads,)
        q, k, v = (RNG.standard_normal((*shape, d)).astype(dtype) for d in (D_K, D_K, D_V))
        calls: tuple[Any, ...] = (
            lambda s, q=q, k=k, v=v: s._steps(q, k, v, None, isa=isa),
            lambda s, k=k, v=v: s.update(k, v, isa=isa),
            lambda s, q=q: s.attend(q, isa=isa),
            lambda s, q=q, k=k, v=v: s.step(q, k, v),
            lambda s: s._settled(),
        )
        for call in calls:
            state, memory = corrupt(dtype, count, heads)
            for _ in range(WAITING + 1):
                call(state)
            assert np.all(memory[:heads] == 7)
            assert np.all(memory[2 * heads :] == 7)
