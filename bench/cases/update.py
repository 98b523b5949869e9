"""The article's experiment: one online update, on precomputed tuples and along rows.

Tuples (m, s, x) come from streams of 10,000 logits N(0, 1) through the exact update, as the article
times them. Work on tuples is a matter of throughput; the serial scan carries (m, s) from step to
step, so it adds latency. The baselines call std::exp.
"""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import fastsoftmax as fs
import numpy as np
from lib import baselines, timing
from lib.case import DEFAULT, Case, Options, Progress, chosen, core
from lib.data_sets import DATA, Shape, Tuples, normal, stream
from lib.report import Cell, Table, show, times

LENGTH = 10_000
STREAMS = 4
PASSES = 4
SCAN_SHAPE: Shape = (16, 2048)
#: Baselines in the order of the table; speed-ups refer to the first, which is the article's.
BASE = baselines.NAMES[0]
COLUMNS = [
    "variant", "ISA", "ns/update", "median", f"x {BASE}", "published ns", f"published x {BASE}",
    "scan ns/step", f"scan x {BASE}", "mean abs error", "without new max", "max abs error",
    "scan: s rel error",
]  # fmt: skip
#: Columns that only the baselines fill.
SPEEDUPS = (f"x {BASE}", f"scan x {BASE}")
NOTE = (
    "x: how many times as fast as two std::exp; errors of one update on the tuples: of all steps, "
    "and of those without a new maximum; last column: median over the scanned rows"
)

Update = Callable[..., object]
Scan = Callable[[Any], tuple[Any, Any]]


def _published() -> dict[str, float]:
    with (DATA / "published_cpu_ns.json").open(encoding="utf-8") as text:
        found = json.load(text)
    return {BASE: found["baseline"], **found["expressions"]}


def _apply(update: Update, out: Any, t: Tuples) -> None:
    update(t.m, t.s, t.x, out, PASSES)


def _baseline_scan(name: str, rows: Any) -> tuple[Any, Any]:
    m = np.empty(len(rows), rows.dtype)
    s = np.empty(len(rows), rows.dtype)
    baselines.scan(name, rows, m, s)
    return m, s


def _step_errors(update: Update, streams: list[Tuples], out: Any) -> list[Cell]:
    """Mean absolute error of all steps and of those without a new maximum, and the largest."""
    wrong, calm = [], []
    for t in streams:
        update(t.m, t.s, t.x, out, 1)
        wrong.append(np.abs(out - t.target))
        calm.append(t.x <= t.m)
    errors, without = np.concatenate(wrong), np.concatenate(calm)
    return [float(errors.mean()), float(errors[without].mean()), float(errors.max())]


def _candidates(
    options: Options, dtype: str
) -> tuple[dict[str, tuple[str, str | None]], dict[str, Update], dict[str, Scan]]:
    """Labels (variant, ISA), update calls and scan calls, by name; the baselines first."""
    labels: dict[str, tuple[str, str | None]] = {}
    updates: dict[str, Update] = {}
    scans: dict[str, Scan] = {}
    for name in () if baselines.missing() else baselines.NAMES:
        labels[name] = (name, None)
        updates[name] = partial(baselines.update, name)
        scans[name] = partial(_baseline_scan, name)
    for kernel in chosen(options, "update", dtype):
        name = f"{kernel.variant}/{kernel.isa}"
        labels[name] = (kernel.variant, kernel.isa)
        updates[name] = partial(core.update, kernel.variant, kernel.isa)
        scans[name] = partial(fs.scan, variant=kernel.variant, isa=kernel.isa)
    return labels, updates, scans


def _measure(options: Options, dtype: str, shape: Shape) -> Table:
    labels, updates, scans = _candidates(options, dtype)
    streams = [stream(LENGTH, dtype, index) for index in range(STREAMS)]
    out = np.empty_like(streams[0].x)
    rows = [normal(shape, 1.0, index).astype(dtype) for index in range(STREAMS)]
    exact = fs.reference.normalizer(rows[0])[1]
    steps = timing.interleave(
        {name: partial(_apply, update, out) for name, update in updates.items()},
        streams,
        options.rounds,
    )
    walks = timing.interleave(scans, rows, options.rounds)
    published = _published() if dtype == "float64" else {}  # the article's are doubles
    missing = baselines.missing()
    table = Table(
        f"{dtype}: updates of {LENGTH} tuples, serial scan of {shape[0]}x{shape[1]}",
        [column for column in COLUMNS if not missing or column not in SPEEDUPS],
        note=NOTE + (f"; no baselines: {missing}" if missing else ""),
    )
    for name, (variant, isa) in labels.items():
        each, walk = steps[name].per(LENGTH * PASSES), walks[name].per(shape[0] * shape[1])
        printed = published.get(variant.removesuffix("_raw"))
        off = np.abs(np.asarray(scans[name](rows[0])[1], np.float64) / exact - 1)
        cells: list[Cell] = [
            variant,
            isa,
            each.minimum,
            each.median,
            None if missing else steps[BASE].minimum / steps[name].minimum,
            printed,
            published[BASE] / printed if printed else None,
            walk.minimum,
            None if missing else walks[BASE].minimum / walks[name].minimum,
            *_step_errors(updates[name], streams, out),
            float(np.median(off)),
        ]
        by_column = dict(zip(COLUMNS, cells, strict=True))
        table.add(*(by_column[column] for column in table.columns))
    return table


def run(options: Options, progress: Progress) -> list[Table]:
    """Run double, then float: the article's dtype first."""
    dtypes = sorted(
        {kernel.dtype for kernel in fs.kernels() if kernel.op == "update"}, reverse=True
    )
    dtypes = [dtype for dtype in dtypes if chosen(options, "update", dtype)]
    progress.expect(len(dtypes))
    shape = options.shapes[0] if options.shapes else SCAN_SHAPE
    tables = []
    for dtype in dtypes:
        progress.next(dtype)
        tables.append(_measure(options, dtype, shape))
    return tables


def headline(tables: list[Table]) -> str | None:
    """Say what an update costs, by exp and without."""
    table = tables[-1]
    kernels = [each for each in table.records() if each["ISA"]]
    exact = [each for each in kernels if each["variant"] == DEFAULT] or kernels
    best, fastest = (min(some, key=lambda each: each["ns/update"]) for some in (exact, kernels))
    beside = f", {times(best[SPEEDUPS[0]])} two std::exp" if SPEEDUPS[0] in best else ""
    return (
        f"one online update, {table.title.partition(':')[0]}: {show(best['ns/update'])} ns by "
        f"{best['variant']}{beside}; the fastest: {show(fastest['ns/update'])} ns by "
        f"{fastest['variant']}"
    )


CASE = Case(
    "update",
    "one online update, the article's experiment: ns beside std::exp",
    ("update", "scan"),
    run,
    headline,
)
