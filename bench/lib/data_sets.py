"""Inputs of the cases: real attention logits, Gaussian rows, and the article's stream of tuples."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Shape = tuple[int, int]

DATA = Path(__file__).parents[1] / "data"
SIGMAS = (1.0, 2.0, 4.0)
#: Fresh inputs of one workload together, at most: with the output they should stay in the L2 cache.
INPUT_BYTES = 1 << 20


@dataclass(frozen=True)
class Workload:
    """Rows of logits under a name; `make(i)` gives the i-th fresh input of the same kind."""

    name: str
    shape: Shape
    make: Callable[[int], Float32]

    @property
    def elements(self) -> int:
        """Number of logits in one input."""
        return self.shape[0] * self.shape[1]

    def inputs(self) -> list[Float32]:
        """Give at least two fresh inputs, more if they are small."""
        count = max(2, min(8, INPUT_BYTES // max(4 * self.elements, 1)))
        return [self.make(i) for i in range(count)]


def normal(shape: Shape, sigma: float, index: int = 0) -> Float32:
    """Draw rows of N(0, sigma^2), the same for the same arguments."""
    random = np.random.default_rng([index, *shape])
    return (sigma * random.standard_normal(shape)).astype(np.float32)


def aligned(shape: tuple[int, ...], dtype: Any = np.float32) -> NDArray[Any]:
    """Allocate at a multiple of 64 bytes."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(size + 64, dtype=np.uint8)
    start = -memory.ctypes.data % 64
    placed: NDArray[Any] = memory[start : start + size].view(dtype).reshape(shape)
    return placed


def gaussian(shape: Shape, sigma: float) -> Workload:
    """Name the rows that `normal` draws."""
    variance = "1" if sigma == 1 else f"{sigma:g}^2"
    name = f"N(0, {variance}) {shape[0]}x{shape[1]}"
    return Workload(name, shape, lambda index: normal(shape, sigma, index))


def heads_of_real_logits() -> Float32:
    """Load the attention logits of a small encoder: [layers 6, heads 12, rows 64, n 128]."""
    with np.load(DATA / "minilm_attention_logits.npz") as stored:
        return np.ascontiguousarray(stored["logits"], dtype=np.float32)


def real_logits() -> Float32:
    """Give all of them as 4608 rows of 128."""
    logits = heads_of_real_logits()
    return logits.reshape(-1, logits.shape[-1])


def real(every: int = 1) -> Workload:
    """Name the real logits, or each `every`-th row of them; a fresh input has its rows shuffled."""
    rows = real_logits()[::every]

    def make(index: int) -> Float32:
        order = np.random.default_rng(index).permutation(len(rows)) if index else slice(None)
        return np.ascontiguousarray(rows[order])

    return Workload(
        f"real logits {rows.shape[0]}x{rows.shape[1]}", (len(rows), rows.shape[1]), make
    )


@dataclass(frozen=True)
class Tuples:
    """Steps of the exact update: the state before, the logit, and the state it leads to."""

    m: NDArray[np.floating]
    s: NDArray[np.floating]
    x: NDArray[np.floating]
    target: NDArray[np.float64]


def stream(length: int, dtype: str, index: int = 0) -> Tuples:
    """Follow one stream of N(0, 1) through the exact update, as the article trains.

    It starts at m = 0, s = 0. The targets are the exact update of the tuples as `dtype` holds them.
    """
    x = np.random.default_rng([index, length]).standard_normal(length).astype(np.float32)
    m = np.empty(length)
    s = np.empty(length)
    top, total = 0.0, 0.0
    for i, logit in enumerate(x.tolist()):
        m[i], s[i] = top, total
        higher = max(top, logit)
        total = total * math.exp(top - higher) + math.exp(logit - higher)
        top = higher
    held_m, held_s, held_x = (part.astype(dtype) for part in (m, s, x))
    m, s, exact_x = (part.astype(np.float64) for part in (held_m, held_s, held_x))
    above = np.maximum(m, exact_x)
    target = s * np.exp(m - above) + np.exp(exact_x - above)
    return Tuples(held_m, held_s, held_x, target)
