"""Rows of float16 and bfloat16 against PyTorch's, which computes in float32 as well."""

import importlib.util
from collections.abc import Callable
from functools import partial
from typing import Any

import fastsoftmax as fs
import numpy as np
from lib import targets
from lib.case import Progress
from lib.data_sets import Shape, normal
from lib.report import Table, show, times
from peers.ground import Ground, member, short
from peers.prepared_call import library
from peers.race import COPY, SIGMA, label

DTYPES = ("float16", "bfloat16")
QUICK_SHAPES: tuple[Shape, ...] = ((256, 128),)
PEER = "torch"
NOTE = (
    "torch/ours: how many times as fast as torch.softmax(out=) on the same tensors, in the better "
    "run; target: at least, on the best ISA; wrong: results that aren't the exact one rounded to "
    "the dtype, in parts of all, and torch's"
)
COLUMNS = [
    "rows", "dtype", "ours", "ns/element", "torch", "copy", "torch/ours", "target", "",
    "wrong", "torch's",
]  # fmt: skip


def _wrong(found: Any, x: Any) -> float:
    """Count results that differ from the float64 result rounded once."""
    torch = library("torch")
    some = slice(0, max(1, (1 << 20) // x.shape[1]))
    exact = torch.from_numpy(fs.reference.online(x[some].float().numpy())).to(x.dtype)
    return float((found[some] != exact).float().mean())


def _calls(x: Any, kernels: list[fs.Kernel]) -> tuple[dict[str, Callable[[], object]], Any]:
    torch = library("torch")
    out = torch.empty_like(x)
    calls: dict[str, Callable[[], object]] = {PEER: partial(torch.softmax, x, -1, out=out)}
    for kernel in kernels:
        name, isa = kernel.variant, kernel.isa
        calls[label(kernel)] = partial(fs.online, x, name, out=out, isa=isa, threads=1)
    calls[COPY] = partial(out.copy_, x)
    return calls, out


def _shape(ground: Ground, shape: Shape, kernels: list[fs.Kernel], table: Table) -> None:
    torch = library("torch")
    best = ground.best("online")
    for dtype in DTYPES:
        x = torch.from_numpy(normal(shape, SIGMA)).to(getattr(torch, dtype))
        calls, out = _calls(x, kernels)
        wrong = {}
        for name, call in calls.items():
            call()
            wrong[name] = _wrong(out, x)
        runs = [ground.race(calls, x.numel()) for _ in range(ground.options.runs)]
        for kernel in kernels:
            name = label(kernel)
            found = min(runs, key=lambda run: run[name] / run[PEER])
            times = found[PEER] / found[name]
            limit = ground.wanted.halves if kernel in best and ground.counts(kernel) else None
            table.add(f"{shape[0]}x{shape[1]}", dtype, short(name), found[name], found[PEER],
                      found[COPY], times, limit, targets.at_least(times, limit), wrong[name],
                      wrong[PEER])  # fmt: skip


def _run(ground: Ground, progress: Progress) -> list[Table]:
    kernels, options = ground.kernels("online"), ground.options
    if not kernels or not importlib.util.find_spec(PEER):
        return []
    library(PEER).set_num_threads(1)
    own = QUICK_SHAPES if options.quick else ground.wanted.half_shapes
    shapes = options.shapes or own
    progress.expect(len(shapes))
    table = Table("half types, one thread", COLUMNS, note=NOTE)
    with np.errstate(all="ignore"):
        for shape in shapes:
            progress.next(f"half types {shape[0]}x{shape[1]}")
            _shape(ground, shape, kernels, table)
    return [table]


def headline(tables: list[Table]) -> str | None:
    """Say the same of each dtype."""
    best: dict[str, dict[str, Any]] = {}
    for each in tables[0].records():
        best.setdefault(each["dtype"], each)
    return ", ".join(
        f"{dtype} {show(each['ns/element'])} ns ({times(each['torch/ours'])} torch)"
        for dtype, each in best.items()
    )


CASE = member("halves", "float16 and bfloat16 rows against PyTorch", ("online",), _run, headline)
