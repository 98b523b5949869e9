"""Softmax of int8 rows on a CUDA device, beside what users of torch write for it."""

from functools import partial
from typing import Any

import fastsoftmax as fs
import numpy as np
from lib.case import Case, Options, Progress
from lib.data_sets import Shape
from lib.device import Call, Timed, find
from lib.int8_calls import ENTRIES, head_for, scale_for
from lib.report import Cell, Table, times

SHAPES: tuple[Shape, ...] = ((1048576, 64), (524288, 128), (65536, 1024))
QUICK_SHAPES: tuple[Shape, ...] = ((65536, 128),)
SCALE = 0.11
COPY, CHAIN = "copy", "torch float16 softmax to uint8"
COLUMNS = ["who", "result", "ns/element", "median", "GB/s", "of copy", "peer/this"]
NOTE = (
    "GB/s counts each element read once, each result written once; of copy: share of the bandwidth "
    "of a copy of the logits; peer: x.half() * scale, softmax, * 255, round, to uint8"
)


def chain(torch: Any, x: Any) -> Any:
    """From int8 to int8 by floats."""
    return (torch.softmax(x.half() * SCALE, -1) * 255).round().to(torch.uint8)


def ours(kernel: fs.Kernel, x: Any, dtype: str) -> Call | None:
    """Tie a kernel to its rows; None where it has no results of that dtype, or no such slope."""
    given = np.dtype(dtype)
    if kernel.op == "int8":
        scale = scale_for(kernel.variant, ENTRIES[0])
        return lambda: fs.int8.softmax(x, scale, table=kernel.variant, out_dtype=given)
    head = head_for(kernel.variant, x.shape[-1], ENTRIES[0])
    if head is None:
        return None
    call = partial(fs.hccs.softmax, x, head, mode=kernel.variant, out_dtype=given)
    try:
        call()
    except TypeError:
        return None  # a mode of the paper gives one dtype only
    return call


def measure(torch: Any, x: Any, timed: Timed, kernels: list[fs.Kernel]) -> Table:
    """Time all int8 kernels on the rows of one array."""
    table = Table(f"cuda int8 {x.shape[0]}x{x.shape[1]}", COLUMNS, note=NOTE)
    target = torch.empty_like(x)
    calls: dict[str, Call] = {
        COPY: lambda: target.copy_(x),
        CHAIN: lambda: chain(torch, x),
    }
    labels = {COPY: ("int8", 2), CHAIN: ("uint8", 2)}
    for kernel in kernels:
        for dtype in ("uint8", "int16") if kernel.op in ("hccs", "int8") else ():
            if (call := ours(kernel, x, dtype)) is not None:
                name = f"{kernel.id} {dtype}"
                calls[name] = call
                labels[name] = (dtype, 1 + np.dtype(dtype).itemsize)
    times = timed(calls)
    elements = x.shape[0] * x.shape[1]
    copied = 2 * elements / times[COPY][0]
    for name, (least, median) in times.items():
        dtype, moved = labels[name]
        rate = moved * elements / least
        row: list[Cell] = [name.removesuffix(f" {dtype}"), dtype, least / elements]
        table.add(*row, median / elements, rate, rate / copied, times[CHAIN][0] / least)
    return table


def run(options: Options, progress: Progress) -> list[Table]:
    """Run every shape; nothing without a device."""
    device = find(options)
    if device is None:
        return []
    shapes = QUICK_SHAPES if options.quick else SHAPES
    progress.expect(len(shapes))
    tables = []
    for shape in shapes:
        progress.next(f"{shape[0]}x{shape[1]}")
        x = (24 * device.random(shape)).round().clamp(-128, 127).to(device.torch.int8)
        tables.append(measure(device.torch, x, device.timed, device.kernels))
    return tables


def headline(tables: list[Table]) -> str | None:
    """Say how many times as fast as torch's chain the fastest kernel is."""
    ours = [each for each in tables[0].records() if each["who"] not in (COPY, CHAIN)]
    best = min(ours, key=lambda each: each["ns/element"])
    return f"{tables[0].title} by {best['who']}: {times(best['peer/this'])} torch's chain"


CASE = Case("cuda/int8", "softmax of int8 rows beside torch's chain of floats", (), run, headline)
