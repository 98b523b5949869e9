"""How the error of Heinsen attention grows with the number of tokens, and what would stop it."""

from dataclasses import dataclass, field
from typing import Any

import fastsoftmax as fs
import numpy as np
from fastsoftmax import heinsen
from lib.case import Case, Options, Progress, chosen, core
from lib.data_sets import Float32
from lib.report import Cell, Table, show

WIDTH = 32
QUERIES = 200
CHUNK = 16
LENGTHS = (10**3, 10**4, 10**5, 10**6)
QUICK_LENGTHS = (100, 1000)
COLUMNS = ["tokens", "v", "chunks", "one by one", "compensated chunks"]
NOTE = (
    f"float32 beside float64, d = {WIDTH}, N(0, 1); largest error of {QUERIES} queries, relative "
    "to the mixture of |v|; compensated: Kahan sums in NumPy"
)


@dataclass
class Compensated:
    """A and z as sums with what they are too large by; the maxima of all keys are known."""

    m: Float32
    sums: Float32 = field(default_factory=lambda: np.zeros((WIDTH, WIDTH + 1), np.float32))
    over: Float32 = field(default_factory=lambda: np.zeros((WIDTH, WIDTH + 1), np.float32))

    def update(self, k: Float32, v: Float32) -> None:
        """Add tokens in chunks."""
        for t in range(0, len(k), CHUNK):
            p = np.exp(k[t : t + CHUNK] - self.m)
            ones = np.ones((len(p), 1), np.float32)
            missing = p.T @ np.concatenate([v[t : t + CHUNK], ones], axis=1) - self.over
            following = self.sums + missing
            self.over = (following - self.sums) - missing
            self.sums = following

    def attend(self, q: Float32) -> Any:
        """Answer in float64: the error is that of the sums."""
        exponents = q.astype(np.float64) + self.m
        w = np.exp(exponents - exponents.max(axis=1, keepdims=True))
        mixed = w @ self.sums.astype(np.float64)
        return mixed[:, :WIDTH] / mixed[:, WIDTH:]


class Runs:
    """The same tokens in every way."""

    def __init__(self, kernel: fs.Kernel, k: Float32) -> None:
        self.kernel = kernel
        self.chunks, self.singles = (heinsen.State((), WIDTH, WIDTH) for _ in range(2))
        self.exact, self.size = (
            heinsen.State((), WIDTH, WIDTH, dtype=np.float64) for _ in range(2)
        )
        self.compensated = Compensated(k.max(axis=0))
        self.singles.update(k[:0], k[:0])  # so that it is a state of values

    def update(self, k: Float32, v: Float32) -> None:
        """Add tokens to all of them."""
        self.chunks.update(k, v, isa=self.kernel.isa)
        data, out = self.singles._data.ravel(), np.empty(v.size, np.float32)
        flat = [np.ascontiguousarray(a).ravel() for a in (k, k, v)]
        core.heinsen_tokens(self.kernel.isa, data, *flat, out, WIDTH, WIDTH)
        wide_k, wide_v = k.astype(np.float64), v.astype(np.float64)
        self.exact.update(wide_k, wide_v)
        self.size.update(wide_k, np.abs(wide_v))
        self.compensated.update(k, v)

    def errors(self, q: Float32) -> list[Cell]:
        """Give the largest error of each."""
        wide = q.astype(np.float64)
        wanted, size = self.exact.attend(wide), self.size.attend(wide)
        answers = (self.chunks.attend(q), self.singles.attend(q), self.compensated.attend(q))
        return [float(np.max(np.abs(y - wanted) / size)) for y in answers]


def run(options: Options, progress: Progress) -> list[Table]:
    """Run signed and positive values on the best ISA."""
    kernels = chosen(options, "heinsen", "float32")
    if not kernels:
        return []
    best = min(kernels, key=lambda kernel: fs.isas().index(kernel.isa))
    lengths = QUICK_LENGTHS if options.quick else LENGTHS
    rng = np.random.default_rng(7)
    k, v = (rng.standard_normal((lengths[-1], WIDTH)).astype(np.float32) for _ in range(2))
    q = rng.standard_normal((QUERIES, WIDTH)).astype(np.float32)
    table = Table("heinsen error growth", COLUMNS, note=NOTE)
    progress.expect(2)
    for what, values in (("signed", v), ("positive", np.abs(v))):
        progress.next(what)
        runs, seen = Runs(best, k), 0
        for n in lengths:
            runs.update(k[seen:n], values[seen:n])
            seen = n
            table.add(n, what, *runs.errors(q))
    return [table]


def headline(tables: list[Table]) -> str | None:
    """Say what the error is after the most tokens."""
    last = tables[0].records()[-1]
    return (
        f"Heinsen attention after {last['tokens']} tokens ({last['v']} v): error "
        f"{show(last['chunks'])}, with compensated sums {show(last['compensated chunks'])}"
    )


CASE = Case(
    "heinsen_error", "error of attention with a state as tokens grow", ("heinsen",), run, headline
)
