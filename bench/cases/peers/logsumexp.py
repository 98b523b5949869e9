"""Log-sum-exp of float32 rows against every library that has it."""

import fastsoftmax as fs
from lib.case import Progress
from lib.data_sets import Shape
from lib.report import Table, show, times
from peers import race, tables
from peers.ground import Ground, member
from peers.race import Contest

from cases.peers import softmax

EACH = "logsumexp of everybody, ns/element"


def _run(ground: Ground, progress: Progress) -> list[Table]:
    kernels, options = ground.kernels("normalizer"), ground.options
    if not kernels:
        return []
    shapes = softmax.main_shapes(ground)
    progress.expect(options.runs * len(shapes))

    def one(shape: Shape) -> Contest:
        progress.next(f"logsumexp {shape[0]}x{shape[1]}")
        return race.logsumexp(shape, kernels, ground.surveyed.present, options)

    def limit(shape: Shape, kernel: fs.Kernel) -> float | None:
        return ground.wanted.logsumexp if ground.counts(kernel) else None

    rows = tables.repeat(options.runs, shapes, one)
    title = f"logsumexp, {softmax.data(options)}"
    return [
        tables.against(title, "abs error", softmax.note(ground), rows, limit),
        tables.everybody(EACH, rows),
    ]


def headline(tables: list[Table]) -> str | None:
    """Say how many times as fast as the fastest peer it is."""
    first = tables[0].records()[0]
    ratio = first["ours/peer"]
    beside = f" ({times(1 / ratio)} {first['fastest peer']})" if ratio else ""
    return f"logsumexp {show(first['ns/element'])} ns{beside}"


CASE = member("logsumexp", "log-sum-exp of float32 rows", ("normalizer",), _run, headline)
