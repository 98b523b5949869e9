"""What one call on a few numbers costs: none of it is arithmetic."""

import platform
from timeit import Timer

import fastsoftmax as fs
import numpy as np
from lib import targets
from lib.case import Progress
from lib.data_sets import normal
from lib.report import Table, show
from peers.ground import Ground, member
from peers.race import SIGMA

CALLS = 2000
OURS = {"out given": "online(x, out=out)", "no out": "online(x)"}


def _run(ground: Ground, progress: Progress) -> list[Table]:
    """Time the call as a user writes it; the loop around it is timeit's."""
    wanted, options, peers = ground.wanted, ground.options, ground.surveyed.present
    progress.expect(1)
    progress.next("one small call")
    x = normal(wanted.call_shape, SIGMA)
    out = np.empty_like(x)
    names = {"online": fs.online, "x": x, "out": out}
    timers = {call: Timer(call, globals=names) for call in OURS.values()}
    for peer in peers:
        bound = peer.softmax(x, out, options.threads)
        timers[peer.name] = Timer("run()", globals={"run": bound.run})
    samples: dict[str, list[float]] = {name: [] for name in timers}
    for _ in range(options.rounds * options.runs):
        for name, timer in timers.items():
            samples[name].append(timer.timeit(CALLS) / CALLS * 1e9)
    limits = {call: wanted.call_ns[kind] for kind, call in OURS.items()}
    rows, columns = wanted.call_shape
    table = Table(
        f"one call on {rows}x{columns} float32",
        ["call", "median", "ns", "target", ""],
        note=f"{platform.python_implementation()} {platform.python_version()}; peers tied to "
        "their arrays beforehand",
    )
    for name, taken in samples.items():
        limit = limits.get(name)
        verdict = targets.verdict(min(taken), limit)
        table.add(name, float(np.median(taken)), min(taken), limit, verdict)
    return [table]


def headline(tables: list[Table]) -> str | None:
    """Say what a small call costs."""
    first = tables[0].records()[0]
    return f"{tables[0].title} {show(first['ns'] / 1e3)} us"


CASE = member("call", "one call on a few numbers", (), _run, headline)
