"""Calls of the kernels for int8 rows, of public functions alone."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import fastsoftmax as fs
import numpy as np

ENTRIES = (64, 128)  # how many distances differ in weight: what a byte permute looks up in


def scale_for(table: str, entries: int) -> float:
    """Nats a step with which the last entry above 0 is at nine tenths of a table."""
    bits = 8 if table == fs.variants("int8")[0] else 15
    return math.log(2 * 2**bits) / (0.9 * entries)


def head_for(mode: str, n: int, entries: int) -> Any:
    """Parameters that a mode takes at this row length."""
    wide = mode == fs.variants("hccs")[0]
    B = 1000 if wide else 32767 // n
    floor = 1 if wide else -(-256 // n)
    if floor >= B:
        return None  # the paper's conditions leave no slope for rows so long
    Dmax = min(entries - 1, B - floor)
    profile = mode if wide else "paper"
    return fs.hccs.Params(0.11, B, min(127, (B - floor) // Dmax), Dmax, n, profile)


def calls_of(
    kernel: fs.Kernel, x: Any, threads: int = 1, entries: int = ENTRIES[0]
) -> dict[str, Callable[[None], Any]]:
    """Give the calls of one kernel, by the dtype of the result."""
    calls: dict[str, Callable[[None], Any]] = {}
    for dtype in (np.dtype(np.uint8), np.dtype(np.int16)):
        out = np.empty(x.shape, dtype)
        options: dict[str, Any] = {"out_dtype": dtype, "out": out, "isa": kernel.isa}
        options["threads"] = threads
        if kernel.op == "int8":
            run: Callable[..., Any] = partial(
                fs.int8.softmax, x, scale_for(kernel.variant, entries), table=kernel.variant,
                **options,
            )  # fmt: skip
        else:
            head = head_for(kernel.variant, x.shape[1], entries)
            if head is None:
                continue
            run = partial(fs.hccs.softmax, x, head, mode=kernel.variant, **options)
        try:
            run()
        except TypeError:
            continue  # a mode of the paper gives one dtype only
        calls[str(dtype)] = partial(ignoring, run)
    return calls


def ignoring(run: Callable[[], Any], _: None) -> Any:
    """Run what takes no input."""
    return run()
