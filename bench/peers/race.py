"""One shape, everybody in turn: our kernels, every peer, and a copy of the same data.

Each has the same input throughout, so that it lies in cache whenever the shape fits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import fastsoftmax as fs
import numpy as np
from lib import metrics, timing
from lib.case import Options
from lib.data_sets import Float32, Shape, aligned, normal

from peers.prepared_call import Bound
from peers.registry import Peer

SIGMA = 2.0
#: Elements whose error is looked at: the reference takes float64 copies.
CHECKED = 1 << 21
#: What one contest may last, at most; a round over everybody takes a second on the largest shape.
SECONDS, QUICK_SECONDS = 8.0, 0.5
COPY = "copy"
OURS = "fastsoftmax"


@dataclass(frozen=True)
class Contest:
    """Who took how long over one shape, in ns for an element, and how far off each was."""

    shape: Shape
    ours: dict[str, fs.Kernel]
    times: dict[str, timing.Timing]
    errors: dict[str, float]

    @property
    def fastest(self) -> str | None:
        """The fastest peer, if there is any."""
        others = [name for name in self.times if name not in self.ours and name != COPY]
        return min(others, key=lambda name: self.times[name].minimum, default=None)

    def ratio(self, name: str, base: str | None) -> float | None:
        """Time of one over that of another."""
        return self.times[name].minimum / self.times[base].minimum if base else None


def softmax(shape: Shape, kernels: list[fs.Kernel], peers: tuple[Peer, ...], o: Options) -> Contest:
    """Let everybody take the softmax of rows of N(0, SIGMA^2)."""
    x, out = _arrays(shape, o)
    tied = {label(k): keep(partial(_online, k, x, out), out) for k in kernels}
    tied |= {peer.name: peer.softmax(x, out, o.threads) for peer in peers}
    tied[COPY] = keep(partial(np.copyto, out, x), out)
    some = max(1, CHECKED // shape[1])
    exact = fs.reference.online(x[:some])

    def error(found: Float32) -> float:
        return metrics.compare(found[:some], exact).max_rel

    return race(shape, {label(k): k for k in kernels}, tied, o, error)


def logsumexp(
    shape: Shape, kernels: list[fs.Kernel], peers: tuple[Peer, ...], o: Options
) -> Contest:
    """Let everybody who can take the log-sum-exp of the same rows."""
    x, copied = _arrays(shape, o)
    tied = {}
    for kernel in kernels:
        call = partial(fs.logsumexp, x, kernel.variant, isa=kernel.isa)
        tied[label(kernel)] = Bound(call, call)
    tied |= {peer.name: peer.logsumexp(x, o.threads) for peer in peers if peer.logsumexp}
    tied[COPY] = keep(partial(np.copyto, copied, x), copied)
    exact = np.concatenate([fs.reference.logsumexp(part) for part in np.array_split(x, _parts(x))])

    def error(found: Float32) -> float:
        return float(np.abs(found - exact).max())

    return race(shape, {label(k): k for k in kernels}, tied, o, error)


def _arrays(shape: Shape, options: Options) -> tuple[Float32, Float32]:
    """Draw the logits, and make room for as much: as NumPy places both, or aligned if asked."""
    x = normal(shape, SIGMA)
    if not options.aligned:
        return x, np.empty_like(x)
    placed = aligned(shape)
    placed[...] = x
    return placed, aligned(shape)


def _parts(x: Float32) -> int:
    """Count the pieces that the reference takes one after another, to spare memory."""
    return min(len(x), 1 + x.size // CHECKED)


def label(kernel: fs.Kernel) -> str:
    """Name one of ours."""
    return f"{OURS} {kernel.variant}/{kernel.isa}"


def keep(run: Callable[[], object], out: Float32) -> Bound:
    """Tie what writes into `out`."""
    return Bound(run, lambda: out)


def _online(kernel: fs.Kernel, x: Float32, out: Float32) -> None:
    fs.online(x, kernel.variant, out=out, isa=kernel.isa)


def race(
    shape: Shape,
    ours: dict[str, fs.Kernel],
    tied: dict[str, Bound],
    options: Options,
    error: Callable[[Float32], float],
) -> Contest:
    """Measure the error of each and then the times, in turn."""
    errors = {name: error(bound.run_once()) for name, bound in tied.items() if name != COPY}
    calls = {name: partial(_run, bound.run) for name, bound in tied.items()}
    seconds = QUICK_SECONDS if options.quick else SECONDS
    times = timing.interleave(calls, [None], 10 * options.rounds, seconds)
    elements = shape[0] * shape[1]
    return Contest(shape, ours, {name: t.per(elements) for name, t in times.items()}, errors)


def _run(run: Callable[[], object], _: None) -> None:
    run()
