"""Where a second thread begins: jobs from one row up, and whether a sleeping thread was woken."""

import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import fastsoftmax as fs
import numpy as np
from lib import targets, timing
from lib.case import Progress
from lib.data_sets import Shape, normal
from lib.report import Table, show
from peers.ground import Ground, member, short
from peers.race import SIGMA, label

from cases.peers.threads import THREADS

COLUMNS = 1024
MOST_ROWS, QUICK_ROWS = 256, 2
#: Calls with a pause between them that lets threads fall asleep.
CALLS, PAUSE = 20, 2e-3
NOTE = (
    "two/one: time when two threads are allowed over time of one, in the better run; woken: "
    "whether another thread left its sleep for the job, as /proc counts"
)


def _sleeps() -> dict[str, int]:
    """How often each thread of this process has gone to sleep; empty where /proc doesn't say."""
    found = {}
    for task in Path("/proc/self/task").glob("*/status"):
        for line in task.read_text(encoding="utf-8").splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                found[task.parent.name] = int(line.split()[1])
    return found


def wakes(call: Callable[[], object]) -> bool | None:
    """Whether a call wakes a thread that sleeps; None where that can't be seen."""
    call()
    time.sleep(PAUSE)
    before = _sleeps()
    for _ in range(CALLS):
        call()
        time.sleep(PAUSE)
    mine = str(threading.get_native_id())
    # a pool with several threads may wake another one each time
    rises = sum(count - before.get(task, 0) for task, count in _sleeps().items() if task != mine)
    return rises >= CALLS * 3 // 4 if before else None


def _shape(ground: Ground, shape: Shape, kernel: fs.Kernel, table: Table) -> None:
    x = normal(shape, SIGMA)
    call = partial(fs.online, x, kernel.variant, out=np.empty_like(x), isa=kernel.isa)
    one, two = partial(call, threads=1), partial(call, threads=THREADS)
    found = ground.best_race({"one": one, "two": two}, 1, lambda run: run["two"] / run["one"])
    ratio = found["two"] / found["one"]
    limit = ground.wanted.small if ground.counts(kernel) else None
    woken = wakes(two)
    table.add(f"{shape[0]}x{shape[1]}", short(label(kernel)), found["one"] / 1e3,
              found["two"] / 1e3, ratio, limit, targets.verdict(ratio, limit),
              None if woken is None else "yes" if woken else "no")  # fmt: skip


def _run(ground: Ground, progress: Progress) -> list[Table]:
    kernels = ground.best("online")
    if not kernels or timing.cpus() < THREADS:
        return []
    most = QUICK_ROWS if ground.options.quick else MOST_ROWS
    shapes = [(1 << i, COLUMNS) for i in range(most.bit_length())]
    progress.expect(len(shapes))
    table = Table(
        "small jobs, float32",
        ["rows", "ours", "one, us", "two", "two/one", "target", "", "woken"],
        note=NOTE,
    )
    with timing.on_cpus(THREADS):
        for shape in shapes:
            progress.next(f"small job {shape[0]}x{shape[1]}")
            for kernel in kernels:
                _shape(ground, shape, kernel, table)
    return [table]


def headline(tables: list[Table]) -> str | None:
    """Say what small jobs lose by the offer of a second thread."""
    worst = max(each["two/one"] for each in tables[0].records())
    return f"small jobs that may use two at most {show(worst)} of the time"


CASE = member("small", "the smallest job that wakes a thread", ("online",), _run, headline)
