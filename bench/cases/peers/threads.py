"""Two threads against one, beside what a second thread gains in a plain copy of the same data."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import fastsoftmax as fs
import numpy as np
from lib import targets, timing
from lib.case import Progress
from lib.data_sets import Float32, Shape, normal
from lib.report import Table, times
from peers.ground import Ground, member, short
from peers.race import SIGMA, label

THREADS = 2
QUICK_SHAPES: tuple[Shape, ...] = ((256, 1024),)
#: Elements from which on a copy by two Python threads takes long enough to mean something.
COPIED = 1 << 24
NOTE = (
    "times: time of one thread over that of two, in the better run; copy: the same of a copy of "
    "the data, from where it fits no cache: what memory allows"
)
COLUMNS = ["rows", "ours", "one, ns/element", "two", "times", "target", "", "copy"]


def _copies(x: Float32, out: Float32, pool: ThreadPoolExecutor) -> dict[str, Callable[[], object]]:
    halves = list(zip(np.array_split(out, THREADS), np.array_split(x, THREADS), strict=True))

    def both() -> None:
        list(pool.map(lambda pair: np.copyto(*pair), halves))

    return {"copy 1": partial(np.copyto, out, x), "copy 2": both}


def _shape(
    ground: Ground,
    shape: Shape,
    kernels: list[fs.Kernel],
    pool: ThreadPoolExecutor,
    table: Table,
) -> None:
    x = normal(shape, SIGMA)
    out = np.empty_like(x)
    calls: dict[str, Callable[[], object]] = {}
    for kernel in kernels:
        call = partial(fs.online, x, kernel.variant, out=out, isa=kernel.isa)
        for threads in (1, THREADS):
            calls[f"{label(kernel)} {threads}"] = partial(call, threads=threads)
    if x.size >= COPIED:
        calls |= _copies(x, out, pool)
    runs = [ground.race(calls, x.size) for _ in range(ground.options.runs)]
    limits = ground.wanted.threads
    for kernel in kernels:
        one, two = (f"{label(kernel)} {threads}" for threads in (1, THREADS))
        found = max(runs, key=lambda run: run[one] / run[two])
        times = found[one] / found[two]
        limit = limits.get(shape) if ground.counts(kernel) else None
        copies = max(
            (run["copy 1"] / run["copy 2"] for run in runs if "copy 1" in run), default=None
        )
        table.add(f"{shape[0]}x{shape[1]}", short(label(kernel)), found[one], found[two], times,
                  limit, targets.at_least(times, limit), copies)  # fmt: skip


def _run(ground: Ground, progress: Progress) -> list[Table]:
    kernels, options = ground.best("online"), ground.options
    if not kernels or timing.cpus() < THREADS:
        return []
    own = QUICK_SHAPES if options.quick else tuple(ground.wanted.threads)
    shapes = options.shapes or own
    progress.expect(len(shapes))
    table = Table("two threads, float32", COLUMNS, note=NOTE)
    with timing.on_cpus(THREADS), ThreadPoolExecutor(THREADS) as pool:
        for shape in shapes:
            progress.next(f"two threads {shape[0]}x{shape[1]}")
            _shape(ground, shape, kernels, pool, table)
    return [table]


def headline(tables: list[Table]) -> str | None:
    """Say what a second thread gains at most."""
    best = max(tables[0].records(), key=lambda each: each["times"])
    return f"two threads on {best['rows']} {times(best['times'])} one"


CASE = member("threads", "two threads against one", ("online",), _run, headline)
