"""Interleaved timing: candidates take turns, so that a drift of the machine meets all of them.

A sample runs one candidate for at least 200 microseconds. Candidates are sampled in rounds, each
round starting with another one, and the inputs change from call to call. The minimum is the figure
to compare (noise only adds); the median says how noisy the run was.
"""

import math
import os
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic, perf_counter_ns, process_time_ns
from typing import TypeVar

Input = TypeVar("Input")
SAMPLE_NS = 200_000
FEWEST = 5
_clock = perf_counter_ns


@dataclass(frozen=True)
class Timing:
    """Nanoseconds of one call, over all samples."""

    minimum: float
    median: float

    def per(self, items: int) -> "Timing":
        """Return the time of one of `items` equal parts of the call."""
        return Timing(self.minimum / items, self.median / items)


#: What the process may use to begin with.
_ALLOWED = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def cpus() -> int:
    """How many CPUs there are to measure on."""
    return len(_ALLOWED) or os.cpu_count() or 1


@contextmanager
def on_cpus(count: int) -> Iterator[None]:
    """Let this thread, and those that it starts, use so many CPUs meanwhile."""
    if not _ALLOWED:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, _ALLOWED[-count:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def pin(cpus: int = 1) -> None:
    """Keep this process on its last `cpus` CPUs, as the first serves most interrupts."""
    if _ALLOWED:
        os.sched_setaffinity(0, _ALLOWED[-cpus:])


def count_cpu_time() -> None:
    """Measure CPU time of this process from now on.

    On a busy machine, a sample longer than a time slice takes in others' work by any other clock.
    """
    global _clock
    _clock = process_time_ns


def _sample(call: Callable[[Input], object], inputs: Sequence[Input]) -> int:
    """Nanoseconds that it takes to call with each of `inputs` in turn."""
    start = _clock()
    for item in inputs:
        call(item)
    return _clock() - start


def _in_turn(inputs: Sequence[Input], first: int, count: int) -> list[Input]:
    return [inputs[(first + i) % len(inputs)] for i in range(count)]


def _calls_per_sample(call: Callable[[Input], object], inputs: Sequence[Input]) -> int:
    """Find how many calls fill a sample; running them also warms the caches."""
    count = 1
    while (taken := _sample(call, _in_turn(inputs, 0, count))) < SAMPLE_NS:
        count *= max(2, min(10, SAMPLE_NS // max(taken, 1)))
    return count


def repeats(call: Callable[[], object]) -> int:
    """Count the calls that fill a sample."""
    return _calls_per_sample(lambda _: call(), [None])


def least(call: Callable[[], object], count: int, seconds: float) -> float:
    """Nanoseconds of one call: the minimum of samples of `count` calls, over so many seconds."""
    inputs = [None] * count
    best, begun = math.inf, monotonic()
    while True:
        best = min(best, _sample(lambda _: call(), inputs) / count)
        if monotonic() - begun >= seconds:
            return best


def interleave(
    candidates: Mapping[str, Callable[[Input], object]],
    inputs: Sequence[Input],
    rounds: int,
    seconds: float = math.inf,
) -> dict[str, Timing]:
    """Time each candidate on the same inputs.

    Parameters
    ----------
    candidates
        What to call, by name.
    inputs
        The argument changes from call to call, in this order.
    rounds
        Samples of each candidate, at most.
    seconds
        No further round begins after this time, if there were `FEWEST` of them.
    """
    names = list(candidates)
    counts = {name: _calls_per_sample(call, inputs) for name, call in candidates.items()}
    samples: dict[str, list[float]] = {name: [] for name in names}
    begun = monotonic()
    for turn in range(rounds):
        if turn >= FEWEST and monotonic() - begun > seconds:
            break
        start = turn % max(len(names), 1)
        for name in names[start:] + names[:start]:
            fresh = _in_turn(inputs, turn, counts[name])
            candidates[name](fresh[0])  # not timed: others have had the caches since
            samples[name].append(_sample(candidates[name], fresh) / counts[name])
    return {name: Timing(min(taken), statistics.median(taken)) for name, taken in samples.items()}
