"""Softmax of int8 rows against other libraries, in one run, with the target that int8 has."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from lib import targets, timing
from lib.case import Case, Options, Progress, chosen, once_each
from lib.data_sets import Shape
from lib.int8_calls import calls_of
from lib.report import Table, show, times
from peers import int8, race

LENGTHS = (64, 128, 1024)
ELEMENTS = 1 << 19  # within the L2 cache, and enough that a call's own time counts little
QUICK_SHAPES: tuple[Shape, ...] = ((4096, 128),)
COLUMNS = ["rows", "kernel", "result", "ns/element", "fastest peer", "its ns/element", "times",
           "target", ""]  # fmt: skip


def _run(run: Callable[[], object], _: None) -> None:
    run()


def _times(shape: Shape, options: Options) -> tuple[dict[tuple[str, str], float], dict[str, float]]:
    """Let everybody take the same rows in turn: ours by (id, dtype), peers by name."""
    x = int8.logits(shape)
    ours: dict[tuple[str, str], Callable[[None], Any]] = {}
    for operation in CASE.operations:
        for kernel in once_each(chosen(options, operation, "int8")):
            for dtype, call in calls_of(kernel, x, options.threads).items():
                ours[kernel.id, dtype] = call
    peers, _ = int8.survey(options.threads, options.quick)
    tied = {p.name: p.softmax(x, np.empty(shape, np.uint8), options.threads) for p in peers}
    calls = {f"{kernel} {dtype}": call for (kernel, dtype), call in ours.items()}
    calls |= {name: partial(_run, bound.run) for name, bound in tied.items()}
    seconds = race.QUICK_SECONDS if options.quick else race.SECONDS
    measured = timing.interleave(calls, [None], 10 * options.rounds, seconds)
    each = {name: time.per(x.size).minimum for name, time in measured.items()}
    return {key: each[f"{key[0]} {key[1]}"] for key in ours}, {name: each[name] for name in tied}


def run(options: Options, progress: Progress) -> list[Table]:
    """Run every shape."""
    own = QUICK_SHAPES if options.quick else tuple((ELEMENTS // n, n) for n in LENGTHS)
    shapes = options.shapes or own
    if not any(chosen(options, operation, "int8") for operation in CASE.operations):
        return []
    progress.expect(len(shapes) + 1)
    progress.next("libraries")
    present, absent = int8.survey(options.threads, options.quick)
    missing = f"; absent: {', '.join(absent)}" if absent else ""
    note = f"times: how many times as fast as the fastest peer, on minima{missing}"
    against = Table("int8 softmax against other libraries", COLUMNS, note=note)
    names = [peer.name for peer in present]
    everybody = Table("int8 softmax of other libraries, ns/element", ["rows", *names])
    wanted = targets.load().int8 if options.threads == 1 else None
    for shape in shapes:
        progress.next(f"int8 {shape[0]}x{shape[1]}")
        ours, theirs = _times(shape, options)
        rows = f"{shape[0]}x{shape[1]}"
        fastest = min(theirs, key=lambda name: theirs[name], default=None)
        limit = wanted if shape[1] in LENGTHS else None
        for (kernel, dtype), ns in ours.items():
            ratio = theirs[fastest] / ns if fastest else None
            verdict = targets.verdict(-ratio, -limit) if ratio and limit else None
            against.add(rows, kernel, dtype, ns, fastest, theirs[fastest] if fastest else None,
                        ratio, limit, verdict)  # fmt: skip
        if names:
            everybody.add(rows, *theirs.values())
    return [table for table in (against, everybody) if table.rows]


def headline(tables: list[Table]) -> str | None:
    """Say what the fastest kernel of ours costs beside the fastest peer, if there is one."""
    first = [each for each in tables[0].records() if each["rows"] == tables[0].rows[0][0]]
    best = min(first, key=lambda each: each["ns/element"])
    if best["fastest peer"] is None:
        return None
    return (
        f"softmax of int8 {best['rows']}: {show(best['ns/element'])} ns per element by "
        f"{best['kernel']}, {times(best['times'])} {best['fastest peer']}"
    )


CASE = Case(
    "int8_peers", "softmax of int8 rows against other libraries", ("hccs", "int8"), run, headline
)
