"""Softmax over rows: speed and error of every variant on every ISA, beside what everybody has."""

from collections.abc import Callable
from functools import partial

import fastsoftmax as fs
import numpy as np
from lib import metrics, timing
from lib.case import Case, Options, Progress, chosen
from lib.data_sets import SIGMAS, Float32, Shape, Workload, gaussian, real
from lib.report import Cell, Table, show
from peers import registry

LENGTHS = (32, 128, 512, 2048, 8192, 32768, 131072)
ELEMENTS = 1 << 17
QUICK_SHAPES: tuple[Shape, ...] = ((1024, 128), (64, 2048))
QUICK_SIGMA = 2.0
#: Filled by the std::exp loop, which takes a compiler.
SPEEDUP = "x std::exp loop"
COLUMNS = [
    "variant", "ISA", "ns/element", "median", SPEEDUP,
    "max abs error", "max rel error", "KL", "total variation",
]  # fmt: skip
NOTE = (
    "x: how many times as fast as the std::exp loop, on minima; max rel error: within 20 of the "
    "row's maximum; KL and total variation: means over the rows"
)


def workloads(options: Options) -> list[Workload]:
    """Rows to run: the real logits, and Gaussian ones of the chosen shapes."""
    if options.quick:
        shapes = options.shapes or QUICK_SHAPES
        return [real(every=4), *(gaussian(shape, QUICK_SIGMA) for shape in shapes)]
    shapes = options.shapes or tuple((ELEMENTS // n, n) for n in LENGTHS)
    return [real(), *(gaussian(shape, sigma) for sigma in SIGMAS for shape in shapes)]


def measure(workload: Workload, kernels: list[fs.Kernel], rounds: int) -> Table:
    """Time the kernels and the usual peers in turn on one workload and compare their results."""
    inputs = workload.inputs()
    out = np.empty_like(inputs[0])
    exact = fs.reference.online(inputs[0])
    calls: dict[str, Callable[[Float32], Float32]] = dict(
        registry.over(inputs, out, registry.USUAL)
    )
    labels: dict[str, tuple[str, str | None]] = {name: (name, None) for name in calls}
    for kernel in kernels:
        calls[kernel.id] = partial(fs.online, variant=kernel.variant, isa=kernel.isa, out=out)
        labels[kernel.id] = (kernel.variant, kernel.isa)
    times = timing.interleave(calls, inputs, rounds)
    base = times.get(registry.USUAL[0])
    columns = COLUMNS if base else [column for column in COLUMNS if column != SPEEDUP]
    table = Table(workload.name, columns, note=NOTE)
    for name, call in calls.items():
        weights = call(inputs[0])
        each = times[name].per(workload.elements)
        row: list[Cell] = [*labels[name], each.minimum, each.median]
        if base:
            row.append(base.minimum / times[name].minimum)
        table.add(*row, *_figures(weights, exact))
    return table


def _figures(weights: Float32, exact: metrics.Float64) -> list[Cell]:
    found = metrics.compare(weights, exact)
    return [found.max_abs, found.max_rel, found.kl, found.total_variation]


def run(options: Options, progress: Progress) -> list[Table]:
    """Run every workload."""
    kernels = chosen(options, "online", "float32")
    if not kernels:
        return []
    todo = workloads(options)
    progress.expect(len(todo))
    tables = []
    for workload in todo:
        progress.next(workload.name)
        tables.append(measure(workload, kernels, options.rounds))
    return tables


def headline(tables: list[Table]) -> str | None:
    """Say what the table of variants says of the best kernel."""
    table = tables[0]
    kernels = [each for each in table.records() if each["ISA"]]
    best = min(kernels, key=lambda each: each["ns/element"])
    return (
        f"softmax of {table.title}: {show(best['ns/element'])} ns per element by "
        f"{best['variant']}/{best['ISA']}"
    )


CASE = Case(
    "rows", "softmax over rows, every variant and ISA: speed and error", ("online",), run, headline
)
