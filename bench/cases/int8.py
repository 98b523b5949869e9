"""Softmax of int8 rows: speed of every kernel, beside exact float32 rows of the same shape."""

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import fastsoftmax as fs
import numpy as np
from lib import timing
from lib.case import Case, Options, Progress, chosen
from lib.data_sets import Shape
from lib.int8_calls import ENTRIES, calls_of, ignoring
from lib.report import Table, show, times

LENGTHS = (32, 64, 77, 128, 200, 1024)
ELEMENTS = 1 << 18  # in and out in L2; a call costs about 1 us beside
QUICK_SHAPES: tuple[Shape, ...] = ((512, 128),)
COLUMNS = ["kernel", "result", "entries", "ns/element", "median", "x float32 exact"]
NOTE = (
    "entries: Dmax + 1 (less in long rows, where the paper allows no more), or the length of the "
    "table; x: how many times as fast as online on float32 "
    "rows of the same shape, on minima"
)


def measure(shape: Shape, kernels: list[fs.Kernel], rounds: int) -> Table:
    """Time all kernels in turn on rows of one shape."""
    normal = np.random.default_rng(0).normal(0, 24, shape)
    x = np.clip(np.rint(normal), -128, 127).astype(np.int8)
    logits = x * np.float32(0.11)
    out = np.empty_like(logits)
    exact = "online float32"
    calls: dict[str, Callable[[None], Any]] = {
        exact: partial(ignoring, partial(fs.online, logits, out=out, threads=1))
    }
    labels: dict[str, tuple[str, str, int | None]] = {exact: (exact, "float32", None)}
    for kernel, entries in itertools.product(kernels, ENTRIES):
        for dtype, call in calls_of(kernel, x, entries=entries).items():
            name = f"{kernel.id} {dtype} {entries}"
            calls[name] = call
            labels[name] = (kernel.id, dtype, entries)
    taken = timing.interleave(calls, [None], rounds)
    table = Table(f"int8 {shape[0]}x{shape[1]}", COLUMNS, note=NOTE)
    for name, label in labels.items():
        each = taken[name].per(x.size)
        ratio = taken[exact].minimum / taken[name].minimum
        table.add(*label, each.minimum, each.median, ratio)
    return table


def run(options: Options, progress: Progress) -> list[Table]:
    """Run every shape."""
    kernels = [*chosen(options, "hccs", "int8"), *chosen(options, "int8", "int8")]
    if not kernels:
        return []
    own = QUICK_SHAPES if options.quick else tuple((ELEMENTS // n, n) for n in LENGTHS)
    shapes = options.shapes or own
    progress.expect(len(shapes))
    tables = []
    for shape in shapes:
        progress.next(f"int8 {shape[0]}x{shape[1]}")
        tables.append(measure(shape, kernels, options.rounds))
    return tables


def headline(tables: list[Table]) -> str | None:
    """Say what the fastest kernel of each kind costs, beside float32."""
    table = tables[0]
    said = []
    for op in CASE.operations:
        kernels = [each for each in table.records() if each["kernel"].startswith(f"{op}/")]
        if kernels:
            best = min(kernels, key=lambda each: each["ns/element"])
            ratio = times(best["x float32 exact"])
            said.append(f"{show(best['ns/element'])} ns by {best['kernel']} ({ratio} float32)")
    return f"softmax of {table.title}, per element: {', '.join(said)}"


CASE = Case("int8", "softmax of int8 rows: speed of every kernel", ("hccs", "int8"), run, headline)
