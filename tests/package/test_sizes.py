"""Sizes that wrap, or that no memory has: refused at once, and whoever refused is as before."""

import io
from collections.abc import Callable
from functools import partial
from typing import Any

import fastsoftmax as fs
import numpy as np
import pytest
from fastsoftmax import _core, hccs, heinsen
from numpy.typing import NDArray

#: With d_k = 16 * BLOCKS and d_v = 1 a state of float32 has 144 + 416 * BLOCKS elements, which a
#: number of 64 bits would take for few.
BLOCKS = -(-(2**64 - 144) // 416)
WRAPPING: list[Any] = [
    ((), 16 * BLOCKS, 1),
    ((), 1, 768614336404564656),
    ((), 4, 768614336404564656),
    ((), 2**32, 2**32),
    ((), 2**63 - 1, 1),
    ((), 1, 2**64 - 1),
    ((), 2**64, 1),
    ((), 1, 2**58),
    ((3, 6148914691236517206), 4, 4),
    ((3, 2**62), 4, 4),
    ((2**32, 2**32), 1, 1),
    ((2**32, 2**32, 0), 1, 1),
    ((0, 2**62), 4, 4),
    ((2**64,), 1, 1),
    ((2**20, 2**20), 2**10, 2**12),
    ((10**5000,), 10**5000, 1),
]
#: These don't wrap.
TOO_LARGE: list[Any] = [((), 2**20, 2**27), ((2**40,), 16, 16), ((2**20,), 2**15, 2**12)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sizes", WRAPPING, ids=range(len(WRAPPING)))
def test_states_that_wrap(sizes: Any, dtype: Any) -> None:
    """A sentence says so; one of few elements would be written past its end."""
    with pytest.raises(ValueError, match=r"would take 2.* bytes or more.*smaller"):
        heinsen.State(*sizes, dtype=dtype)


@pytest.mark.parametrize("sizes", TOO_LARGE, ids=range(len(TOO_LARGE)))
def test_states_that_find_no_room(sizes: Any) -> None:
    """Memory is asked for before anything is written."""
    with pytest.raises(MemoryError):
        heinsen.State(*sizes)


def test_sizes_of_states() -> None:
    """The core counts as Python does, whose numbers don't wrap, and refuses the rest."""
    widths = [1, 16, 17, 2**20, 2**28, 2**29, 2**31, 2**40, 2**56, 2**57 - 1, 2**60 + 1, 2**64 - 1]
    for d_k in widths:
        for d_v in widths:
            for logs in (False, True):
                rows, panels = -(-d_k // 16) * 16, -(-d_v // 16)
                wanted = rows * 10 + 16 + panels * 16 * (3 * rows if logs else rows + 8)
                if 8 * wanted < 2**63:
                    assert _core.heinsen_size(d_k, d_v, logs) == wanted
                else:
                    with pytest.raises(ValueError, match="bytes"):
                        _core.heinsen_size(d_k, d_v, logs)


def test_logarithms_need_more_room() -> None:
    """A state that is small enough for values may not be for logarithms; it stays undecided."""
    state = heinsen.State((0,), 2**27, 2**32)  # no head, no memory
    assert state.kind is None
    one: NDArray[Any] = np.zeros((0, 2**27), np.float32)
    two: NDArray[Any] = np.zeros((0, 2**32), np.float32)
    with pytest.raises(ValueError, match="bytes"):
        state.update(one, log_v=two)
    assert state.kind is None
    assert state.update(one, two).kind == "v"


def saved(kind: str, batch: list[int], d_k: int, d_v: int, heads: int, of_m: int) -> io.BytesIO:
    """Return a file whose arrays have these sizes, and nothing in the largest."""
    names = {"v": "A", "log_v": "MS"}[kind]
    arrays: dict[str, Any] = {name: np.zeros((heads, d_k, d_v), np.float32) for name in names}
    arrays |= {name: np.zeros((len(batch), of_m), np.float32) for name in "mz"}
    file = io.BytesIO()
    np.savez(file, batch_shape=np.array(batch), values=np.array(kind), **arrays)
    file.seek(0)
    return file


@pytest.mark.parametrize("kind", ["v", "log_v"])
def test_files_that_wrap(kind: str) -> None:
    """What a file says of sizes is compared with its arrays before memory is asked for."""
    for file in (
        saved(kind, [1], 16 * BLOCKS, 1, 0, 1),
        saved(kind, [1], 1, 2**59, 0, 1),
        saved(kind, [2**32, 2**32], 1, 1, 0, 1),
        saved(kind, [3, 6148914691236517206], 4, 4, 2, 4),
        saved(kind, [2**40], 1, 1, 1, 1),
        saved(kind, [1], 0, 2**40, 1, 1),
    ):
        with pytest.raises(ValueError, match=r"State|d_k"):
            heinsen.State.load(file)


SMALL = np.zeros((2, 3), np.float32)
ROWS = np.broadcast_to(np.float16(0), (2**30, 2**31))
FEW = np.broadcast_to(np.float32(0), (2**45, 2))
NONE: Any = np.empty((2**58, 0), np.float64)
HUGE = (2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**64 + 1, 10**5000)
TOPK: Any = fs.topk
#: What takes a size, or arrays that have one, by name: each call must be refused.
CALLS: dict[str, list[Callable[[], object]]] = {
    "topk k": [partial(TOPK, SMALL, k) for k in HUGE],
    "topk rows": [partial(TOPK, ROWS, 2**30)],
    "MaxSum": [partial(fs.MaxSum, n) for n in HUGE[2:]],
    "MaxSum batches": [
        partial(fs.MaxSum, shape) for shape in ((3, 2**62), (0, 2**62), (2**32, 2**32), (2**59,))
    ],
    "Params": [partial(hccs.Params, 0.1, 600, 9, 63, n) for n in HUGE],
    "paper's Params": [partial(hccs.Params, 0.1, 600, 9, 6, n, "paper") for n in HUGE],
    "threads": [partial(fs.softmax, SMALL, threads=n) for n in HUGE],
    "axis": [partial(fs.scan, SMALL, axis=n) for n in HUGE],
    "online": [partial(fs.online, ROWS), partial(fs.log_softmax, ROWS)],
    "reductions": [
        partial(f, x) for f in (fs.normalizer, fs.logsumexp, fs.scan) for x in (FEW, NONE)
    ],
    "HeadStats": [
        partial(hccs.HeadStats().update, np.broadcast_to(np.float32(0), (2**45, 1, 1))),
        partial(hccs.HeadStats().update, np.empty((2**50, 1, 0), np.float32)),
    ],
    "attention": [
        partial(heinsen.attention, SMALL, SMALL, np.broadcast_to(np.float32(0), (2, 2**58))),
        partial(heinsen.attention, *[np.broadcast_to(np.float32(0), (2**50, 3))] * 3),
    ],
}


@pytest.mark.parametrize("what", CALLS)
def test_hostile_sizes(what: str) -> None:
    """Every public function or class that is told a size."""
    for call in CALLS[what]:
        with pytest.raises((ValueError, MemoryError)):
            call()


def test_tokens_that_find_no_room() -> None:
    """The state has seen what it had seen."""
    state, rng = heinsen.State((), 3, 2), np.random.default_rng(0)
    many = [np.broadcast_to(np.float32(0), (2**50, d)) for d in (3, 3, 2)]
    for call in (state.step, lambda q, k, v: state.update(k, v), lambda q, k, v: state.attend(q)):
        with pytest.raises(MemoryError):
            call(*many)
        assert state.kind is None
    state.update(rng.standard_normal((20, 3), np.float32), rng.standard_normal((20, 2), np.float32))
    before = state.attend(SMALL)
    with pytest.raises(MemoryError):
        state.step(*many)
    assert np.array_equal(state.attend(SMALL), before)


class Exhausted:
    """A function that finds no memory after so many calls."""

    def __init__(self, function: Any, most: int) -> None:
        self.function, self.left = function, most

    def __call__(self, *arguments: Any) -> Any:
        """Call it, or fail."""
        self.left -= 1
        if self.left < 0:
            raise MemoryError
        return self.function(*arguments)


@pytest.mark.parametrize("most", range(5))
def test_statistics_that_find_no_room(most: int) -> None:
    """They take a later update as if nothing had been."""
    stats = hccs.HeadStats()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np, "zeros", Exhausted(np.zeros, most))
        with pytest.raises(MemoryError):
            stats.update(np.ones((4, 2, 3), np.float32))
    assert stats.scale is None
    stats.update(np.ones((3, 2, 3), np.float32))
    assert stats.shape == (3,)


@pytest.mark.parametrize(("kind", "most"), [("v", 0), ("v", 1), *[("log_v", i) for i in range(4)]])
def test_a_merge_that_finds_no_room(kind: str, most: int) -> None:
    """Wherever memory runs out, the state holds what it held."""
    k, v = np.random.default_rng(1).standard_normal((2, 9, 3), np.float32)
    other = heinsen.State((), 3, 3).update(k + 1, **{kind: v})
    for state in (heinsen.State((), 3, 3).update(k, **{kind: v}), heinsen.State((), 3, 3)):
        before = state.copy()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(np, "exp", Exhausted(np.exp, most))
            with pytest.raises(MemoryError):
                state.merge(other)
        assert state.kind == before.kind
        assert np.array_equal(state._settled(), before._settled())
