"""Softmax and its k largest: one fused pass, beside softmax followed by a selection."""

import importlib.util
from collections.abc import Callable
from typing import Any

import fastsoftmax as fs
import numpy as np
from lib import timing
from lib.case import Options
from lib.data_sets import Float32, Shape, normal
from lib.report import Cell, Table, show, times
from lib.targets import verdict

from peers.arrays import numpy_softmax
from peers.prepared_call import library

SHAPES: tuple[Shape, ...] = ((1, 131072), (64, 131072))
COUNTS = (5, 50)
SIGMA = 2.0
TORCH = "torch softmax, topk"
TARGET = 3.0
SECONDS = 90.0
COLUMNS = ["k", "who", "ns/element", "median", "torch/this", "target", "", "max rel error"]
NOTE = (
    "torch/this: how many times as fast as torch.softmax followed by torch.topk, on minima; "
    "target: at least; max rel error: of the k probabilities, within 20 of the row's maximum"
)

Found = tuple[Any, Any]
Call = Callable[[None], Found]


def ours(x: Float32, k: int, kernel: fs.Kernel, threads: int) -> Call:
    """Tie one kernel to its rows."""
    return lambda _: fs.topk(x, k, isa=kernel.isa, threads=threads)


def numpy_topk(x: Float32, out: Float32, k: int) -> Call:
    """Tie softmax in NumPy, argpartition, and a sort of what that finds."""
    softmax = numpy_softmax(x, out, 1)

    def call(_: None) -> Found:
        p = softmax.run_once()
        part = np.argpartition(p, -k, axis=-1)[:, -k:]
        found = np.take_along_axis(p, part, -1)
        order = np.argsort(-found, axis=-1)
        return np.take_along_axis(found, order, -1), np.take_along_axis(part, order, -1)

    return call


def torch_topk(x: Float32, out: Float32, k: int, threads: int) -> Call:
    """Tie torch.softmax(out=) and torch.topk(out=) to tensors over memory that is there."""
    torch = library("torch")
    torch.set_num_threads(threads)
    logits, p = torch.from_numpy(x), torch.from_numpy(out)
    found = torch.empty(x.shape[0], k), torch.empty(x.shape[0], k, dtype=torch.int64)

    def call(_: None) -> Found:
        torch.softmax(logits, -1, out=p)
        torch.topk(p, k, out=found)
        return found

    return call


def calls_on(x: Float32, k: int, kernels: list[fs.Kernel], threads: int) -> dict[str, Call]:
    """Everything that can be called here, by name."""
    out = np.empty_like(x)
    calls = {kernel.id: ours(x, k, kernel, threads) for kernel in kernels}
    if importlib.util.find_spec("torch"):
        calls[TORCH] = torch_topk(x, out, k, threads)
    calls["numpy softmax, argpartition"] = numpy_topk(x, out, k)
    return calls


def relative_error(found: Found, wanted: Found) -> float:
    """Largest error of a probability that isn't tiny."""
    p, exact = np.asarray(found[0]), wanted[0]
    near = exact > exact[:, :1] * np.exp(-20)
    return float(np.max(np.abs(p - exact)[near] / exact[near]))


def measure(shape: Shape, kernels: list[fs.Kernel], options: Options) -> Table:
    """Time everybody in turn on rows of one shape; the target is for the best kernel."""
    x = normal(shape, SIGMA)
    table = Table(f"topk {shape[0]}x{shape[1]}", COLUMNS, note=NOTE)
    rank, wants_target = fs.isas(), shape in SHAPES and options.threads == 1
    best = min(kernels, key=lambda kernel: rank.index(kernel.isa)).id
    for k in (count for count in COUNTS if count <= shape[1]):
        calls = calls_on(x, k, kernels, options.threads)
        taken = timing.interleave(calls, [None], options.rounds, SECONDS)
        wanted = fs.reference.topk(x, k)
        for name, call in calls.items():
            each = taken[name].per(x.size)
            ratio = taken[TORCH].minimum / taken[name].minimum if TORCH in taken else None
            target = TARGET if name == best and wants_target else None
            mark = verdict(target, ratio) if target and ratio else None  # the ratio is to be above
            row: list[Cell] = [k, name, each.minimum, each.median, ratio, target, mark]
            table.add(*row, relative_error(call(None), wanted))
    return table


def ours_first(table: Table) -> list[dict[str, Any]]:
    """Give the rows of the first k: the best of our kernels, then the peers."""
    first = [each for each in table.records() if each["k"] == table.rows[0][0]]
    ours = [each for each in first if each["who"].startswith("topk/")]
    best = min(ours, key=lambda each: each["ns/element"])
    return [best, *(each for each in first if each not in ours)]


def headline(tables: list[Table]) -> str | None:
    """Say what the best kernel costs beside the others."""
    best, *others = ours_first(tables[0])
    ns = best["ns/element"]
    said = f"softmax and its {best['k']} largest, {tables[0].title.split()[1]}"
    beside = [f"{times(each['ns/element'] / ns)} {each['who']}" for each in others]
    return "; ".join([f"{said}: {show(ns)} ns per element", *beside])
