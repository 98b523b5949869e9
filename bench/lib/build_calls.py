"""What is called of a build of fastsoftmax, to compare it with another one.

Every row of its table that has a public function, on shapes of each class of kernels: a call is
named `op/variant/isa dtype shape`. Only what is public is called, and each call is tried before: a
build that lacks a function, or a keyword, has a reason in its place.
"""

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import fastsoftmax as fs
import numpy as np

from lib.data_sets import aligned, normal
from lib.int8_calls import calls_of

Run = Callable[[], object]
#: What is called when no variant is named stands first in the table.
DEFAULT = fs.variants()[0]
#: Gives the call, None where the kernel has no such result; raises what the build raises.
Make = Callable[[], Run | None]
Job = tuple[tuple[int, ...], int]  #: shape and axis

SIGMA = 2.0
#: For every kernel: one short row, rows in cache, long rows, columns.
JOBS: tuple[Job, ...] = (((1, 16), -1), ((64, 512), -1), ((4, 16384), -1), ((512, 64), 0))
#: For the default variant, too: short rows, ragged ones, a row that threads could share, a strip.
MORE_JOBS: tuple[Job, ...] = (
    ((1000, 16), -1), ((100, 33), -1), ((1, 262144), -1), ((4096, 64), 0),
)  # fmt: skip
WRITES = ("online", "log_softmax")  # by name: operations that take out=
STATES = ("normalizer", "scan")  # by name: operations that return states
HALF_JOB: Job = ((64, 512), -1)
MASKED_JOB: Job = ((64, 1024), -1)
TOPK = ((5, (64, 512)), (50, (1, 65536)))
INT8_SHAPES = ((64, 64), (64, 1024))
HEINSEN_TOKENS = (1, 256)
HEADS, WIDTH = 8, 32


@cache
def _logits(shape: tuple[int, ...], dtype: str) -> Any:
    x = aligned(shape, dtype)
    x[...] = normal((shape[0], int(np.prod(shape[1:]))), SIGMA).reshape(shape)
    return x


@cache
def _room(shape: tuple[int, ...], dtype: str) -> Any:
    return aligned(shape, dtype)


def _rows(kernel: fs.Kernel, dtype: str, job: Job, **more: Any) -> Run:
    shape, axis = job
    if kernel.op in WRITES:
        more["out"] = _room(shape, dtype)
    function = getattr(fs, kernel.op)
    x = _logits(shape, dtype)
    return partial(function, x, kernel.variant, axis=axis, threads=1, isa=kernel.isa, **more)


def _masked(kernel: fs.Kernel) -> Run:
    mask = _logits(MASKED_JOB[0], kernel.dtype) < SIGMA
    return _rows(kernel, kernel.dtype, MASKED_JOB, mask=mask)


def _of_rows(kernel: fs.Kernel) -> Iterator[tuple[str, Make]]:
    for job in JOBS + (MORE_JOBS if kernel.variant == DEFAULT else ()):
        shape = "x".join(map(str, job[0])) + (f" axis {job[1]}" if job[1] >= 0 else "")
        yield f"{kernel.dtype} {shape}", partial(_rows, kernel, kernel.dtype, job)
    if kernel.op in WRITES and kernel.dtype == "float32":
        shape = "x".join(map(str, HALF_JOB[0]))
        yield f"float16 {shape}", partial(_rows, kernel, "float16", HALF_JOB)
        if kernel.variant == DEFAULT:
            shape = "x".join(map(str, MASKED_JOB[0]))
            yield f"float32 {shape} masked", partial(_masked, kernel)


def _topk(kernel: fs.Kernel, k: int, shape: tuple[int, ...]) -> Run:
    return partial(fs.topk, _logits(shape, kernel.dtype), k, threads=1, isa=kernel.isa)


def _of_topk(kernel: fs.Kernel) -> Iterator[tuple[str, Make]]:
    for k, shape in TOPK:
        rows = "x".join(map(str, shape))
        yield f"{kernel.dtype} {k} of {rows}", partial(_topk, kernel, k, shape)


def _bytes(kernel: fs.Kernel, dtype: str, shape: tuple[int, ...]) -> Run | None:
    steps = np.clip(np.rint(12 * _logits(shape, "float32")), -128, 127).astype(np.int8)
    call = calls_of(kernel, steps).get(dtype)
    return call and partial(call, None)


def _of_bytes(kernel: fs.Kernel) -> Iterator[tuple[str, Make]]:
    for shape in INT8_SHAPES:
        for dtype in ("uint8", "int16"):
            rows = "x".join(map(str, shape))
            yield f"int8 to {dtype} {rows}", partial(_bytes, kernel, dtype, shape)


def _heinsen(kernel: fs.Kernel, n: int, values: str) -> Run:
    q = _logits((HEADS, n, WIDTH), kernel.dtype)
    how: dict[str, Any] = {values: q, "isa": kernel.isa, "threads": 1}
    return partial(fs.heinsen.attention, q, q, **how)


def _step() -> Run:
    q = _logits((HEADS, 1, WIDTH), "float32")[:, 0]
    return partial(fs.heinsen.State((HEADS,), WIDTH, WIDTH).step, q, q, q)


def _of_heinsen(kernel: fs.Kernel) -> Iterator[tuple[str, Make]]:
    values = "v" if kernel.op == "heinsen" else "log_v"
    for n in HEINSEN_TOKENS:
        name = f"{kernel.dtype} {HEADS}x{n}x{WIDTH}"
        yield name, partial(_heinsen, kernel, n, values)
    if (kernel.op, kernel.dtype, kernel.isa) == ("heinsen", "float32", fs.isas("heinsen")[0]):
        yield f"step of {HEADS}x{WIDTH}", _step  # on the best ISA: it takes no other


#: How each operation is called; the others are for study, and have no public function.
CALLS: dict[str, Callable[[fs.Kernel], Iterator[tuple[str, Make]]]] = {
    **dict.fromkeys(WRITES + STATES, _of_rows),
    "topk": _of_topk,
    **dict.fromkeys(("int8", "hccs"), _of_bytes),
    **dict.fromkeys(("heinsen", "heinsen_log"), _of_heinsen),
}


def every() -> dict[str, Make]:
    """All calls by name, in the order of the table."""
    return {
        f"{kernel.id} {name}": make
        for kernel in fs.kernels()
        if kernel.device == "cpu" and kernel.available and kernel.op in CALLS
        for name, make in CALLS[kernel.op](kernel)
    }
