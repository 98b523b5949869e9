"""An axis that isn't the last, against the last one of as many rows of the same length."""

import importlib.util
from collections.abc import Callable
from functools import partial

import fastsoftmax as fs
import numpy as np
from lib import targets
from lib.case import Progress
from lib.data_sets import Float32, normal
from lib.report import Table, show
from peers.ground import Ground, member, short
from peers.prepared_call import library
from peers.race import SIGMA, label

QUICK: tuple[tuple[tuple[int, ...], int], ...] = (((64, 48), 0),)
LAST, PEER = "last axis", "torch"
NOTE = (
    "rows as they would be in memory order; ratio: time over that of the same kernel along the "
    "last axis, in the better run; torch: torch.softmax(out=) along the same axis"
)
COLUMNS = [
    "array", "axis", "rows", "ours", "ns/element", "last axis", "ratio", "target", "",
    "torch", "ours/torch",
]  # fmt: skip


def _calls(
    rows: Float32, x: Float32, axis: int, kernels: list[fs.Kernel]
) -> dict[str, Callable[[], object]]:
    rows_out, out = np.empty_like(rows), np.empty_like(x)
    calls: dict[str, Callable[[], object]] = {}
    for kernel in kernels:
        call = partial(fs.online, variant=kernel.variant, isa=kernel.isa, threads=1)
        name = label(kernel)
        calls[name] = partial(call, x, axis=axis, out=out)
        calls[f"{name} {LAST}"] = partial(call, rows, out=rows_out)
    if importlib.util.find_spec(PEER):
        torch = library(PEER)
        torch.set_num_threads(1)
        peer_out = torch.from_numpy(np.empty_like(x))
        calls[PEER] = partial(torch.softmax, torch.from_numpy(x), axis, out=peer_out)
    return calls


def _array(
    ground: Ground, shape: tuple[int, ...], axis: int, kernels: list[fs.Kernel], table: Table
) -> None:
    n = shape[axis]
    rows = normal((int(np.prod(shape)) // n, n), SIGMA)
    others = [extent for i, extent in enumerate(shape) if i != axis]
    x = np.ascontiguousarray(np.moveaxis(rows.reshape(*others, n), -1, axis))
    calls = _calls(rows, x, axis, kernels)
    runs = [ground.race(calls, x.size) for _ in range(ground.options.runs)]
    for kernel in kernels:
        name = label(kernel)
        last = f"{name} {LAST}"
        found = min(runs, key=lambda run: run[name] / run[last])
        ratio, peer = found[name] / found[last], found.get(PEER)
        limit = ground.wanted.axes if ground.counts(kernel) else None
        table.add("x".join(map(str, shape)), axis, f"{rows.shape[0]}x{n}", short(name),
                  found[name], found[last], ratio, limit, targets.verdict(ratio, limit), peer,
                  found[name] / peer if peer else None)  # fmt: skip


def _run(ground: Ground, progress: Progress) -> list[Table]:
    kernels, options = ground.kernels("online"), ground.options
    if not kernels:
        return []
    own = QUICK if options.quick else ground.wanted.arrays
    arrays = tuple(((n, rows), 0) for rows, n in options.shapes) or own
    progress.expect(len(arrays))
    table = Table("other axes, one thread", COLUMNS, note=NOTE)
    for shape, axis in arrays:
        progress.next(f"axis {axis} of {'x'.join(map(str, shape))}")
        _array(ground, shape, axis, kernels, table)
    return [table]


def headline(tables: list[Table]) -> str | None:
    """Say what another axis costs."""
    first = tables[0].records()[0]
    return f"axis {first['axis']} of {first['array']} {show(first['ns/element'])} ns"


CASE = member("axes", "axes other than the last", ("online",), _run, headline)
