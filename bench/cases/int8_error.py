"""Error of int8 softmax on real attention logits: HCCS, tables, and bfloat16 beside them.

The logits of each head are quantised with the scale that their largest magnitude asks for (of the
layer, or of all, where HCCS shares its parameters). Every second row of a head calibrates, the
others are judged. Rows of 32 and 64 are the beginnings of the stored ones, rows of 1024 are eight
of them side by side.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import fastsoftmax as fs
import numpy as np
from fastsoftmax.hccs._params import PROFILES, WIDE
from lib import metrics, targets
from lib.case import Case, Options, Progress, chosen, once_each
from lib.data_sets import Float32, heads_of_real_logits
from lib.report import Cell, Table, show

LENGTHS = (32, 64, 128, 1024)
QUICK_LENGTHS = (128,)
COLUMNS = ["columns", "method", "shared by", "result", "KL", "total variation",
           "of the quantised", "order kept %", "mass", "target", ""]  # fmt: skip
NOTE = (
    "means over the rows; KL(method || softmax) and total variation against the softmax of the "
    "float logits, then against that of the same quantised logits, for which the target holds at "
    "128 columns; order kept: pairs of different logits with different weights; mass: sum of a row"
)
RESULTS = (np.dtype(np.uint8), np.dtype(np.int16))
#: By granularity: what the largest magnitude is taken over, of [layers, heads].
SHARED: dict[str, tuple[int, ...]] = {"head": (), "layer": (1,), "global": (0, 1)}


@dataclass(frozen=True)
class Split:
    """Logits [layers, heads, rows, n] of one length: to calibrate on, and to judge by."""

    calibrating: Float32
    judged: Float32

    @classmethod
    def of(cls, logits: Float32, n: int) -> "Split":
        """Cut rows to n, or lay them side by side."""
        halves = logits[:, :, ::2], logits[:, :, 1::2]
        if n <= logits.shape[-1]:
            return cls(*(np.ascontiguousarray(half[..., :n]) for half in halves))
        return cls(*(half.reshape(*half.shape[:2], -1, n) for half in halves))

    def scale(self, granularity: str) -> Any:
        """Nats a step for each head."""
        largest = np.abs(self.calibrating).max(axis=(-2, -1)).astype(np.float64)
        shared = largest.max(axis=SHARED[granularity], keepdims=True)
        return np.broadcast_to(shared, largest.shape) / 127

    def quantised(self, scale: Any) -> Any:
        """Give the judged logits in int8."""
        steps = np.rint(self.judged / scale[..., None, None])
        return np.clip(steps, -128, 127).astype(np.int8)


def bfloat16(values: Float32) -> Float32:
    """Round to nearest, ties to even, which NumPy can't."""
    words = values.view(np.uint32)
    rounded = words + np.uint32(0x7FFF) + ((words >> np.uint32(16)) & np.uint32(1))
    result: Float32 = (rounded & np.uint32(0xFFFF0000)).view(np.float32)
    return result


def equal_pairs(rows: Any) -> Any:
    """Count the pairs of equal values in each row."""
    ordered = np.sort(rows, axis=-1)
    place = np.arange(ordered.shape[-1])
    begins = np.ones(ordered.shape, bool)
    begins[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    first = np.maximum.accumulate(np.where(begins, place, 0), axis=-1)
    return (place - first).sum(axis=-1)


def order_kept(weights: Any, logits: Any) -> float:
    """Share of the pairs of different logits whose weights differ, too; none is ever reversed."""
    n = logits.shape[-1]
    all_pairs = n * (n - 1) // 2
    different = all_pairs - equal_pairs(logits)
    kept = all_pairs - equal_pairs(weights)
    share = np.minimum(kept, different).sum() / max(different.sum(), 1)
    return float(share)


Figures = list[Cell]


def figures(weights: Any, logits: Any, quantised: Any | None) -> Figures:
    """Compare the weights with both softmaxes."""
    exact = fs.reference.online(logits.astype(np.float64))
    flat = [np.asarray(a).reshape(-1, logits.shape[-1]) for a in (weights, exact)]
    own: float | None = None
    if quantised is not None:
        of_quantised = fs.reference.online(quantised).reshape(-1, logits.shape[-1])
        own = float(metrics.total_variation(flat[0], of_quantised).mean())
    return [
        float(metrics.kl(*flat).mean()),
        float(metrics.total_variation(*flat).mean()),
        own,
        100 * order_kept(weights, logits),
        float(flat[0].sum(axis=-1).mean()),
    ]


def _floats(split: Split) -> Iterator[list[Cell]]:
    """Exact softmax in bfloat16, and of the quantised logits."""
    logits = split.judged
    halves = bfloat16(fs.online(bfloat16(logits)))
    yield ["exact, bfloat16", None, "bfloat16", *figures(halves, logits, None)]
    scale = split.scale("head")
    quantised = split.quantised(scale) * scale[..., None, None]
    exact = fs.reference.online(quantised)
    yield ["exact, int8 logits", "head", "float64", *figures(exact, logits, quantised)]


def _integers(
    run: Callable[[np.dtype[Any]], Any], split: Split, quantised: Any
) -> Iterator[list[Cell]]:
    """Every result that a method gives."""
    for dtype in RESULTS:
        try:
            weights = run(dtype) / float(np.iinfo(dtype).max)
        except TypeError:
            continue  # a mode of the paper gives one dtype only
        yield [str(dtype), *figures(weights, split.judged, quantised)]


def _tables(options: Options, split: Split) -> Iterator[list[Cell]]:
    scale = split.scale("head")
    x = split.quantised(scale)
    for kernel in once_each(chosen(options, "int8", "int8")):

        def run(dtype: np.dtype[Any], name: str = kernel.variant) -> Any:
            return fs.int8.softmax(x, scale, table=name, out_dtype=dtype)

        for row in _integers(run, split, x * scale[..., None, None]):
            yield [f"table {kernel.variant}", "head", *row]


def _hccs(options: Options, split: Split) -> Iterator[list[Cell]]:
    n = split.judged.shape[-1]
    kernels = once_each(chosen(options, "hccs", "int8"))
    for granularity in SHARED:
        scale = split.scale(granularity)
        x = split.quantised(scale)
        stats = fs.hccs.HeadStats(scale)
        stats.update(split.calibrating)
        for kernel in kernels:
            mode = kernel.variant
            profile = WIDE if mode == WIDE else next(p for p in PROFILES if p != WIDE)
            params = fs.hccs.calibrate(
                stats, n, profile=profile, mode=mode, granularity=granularity
            )

            def run(dtype: np.dtype[Any], mode: str = mode, params: Any = params) -> Any:
                return fs.hccs.softmax(x, params, mode=mode, out_dtype=dtype)  # noqa: B023

            for row in _integers(run, split, x * scale[..., None, None]):
                yield [f"hccs {mode}", granularity, *row]


def run(options: Options, progress: Progress) -> list[Table]:
    """Judge everything at every length."""
    logits = heads_of_real_logits()
    if options.quick:
        logits = logits[::3, ::3]
    if not any(chosen(options, operation, "int8") for operation in CASE.operations):
        return []
    lengths = QUICK_LENGTHS if options.quick else LENGTHS
    limits = targets.load().int8_error
    table = Table("int8 softmax of real logits: error", COLUMNS, note=NOTE)
    progress.expect(len(lengths))
    for n in lengths:
        progress.next(f"rows of {n}")
        split = Split.of(logits, n)
        for rows in (_floats(split), _tables(options, split), _hccs(options, split)):
            for row in rows:
                name = f"{str(row[0]).removeprefix('table ')} {row[2]}"
                limit = limits.get(name) if n == logits.shape[-1] else None
                own = row[5]
                verdict = targets.verdict(own, limit) if isinstance(own, float) else None
                table.add(n, *row, limit, verdict)
    return [table]


def headline(tables: list[Table]) -> str | None:
    """Say how far off each method is at best."""
    found: dict[tuple[str, str], float] = {}
    for each in tables[0].records():
        if each["result"] in map(str, RESULTS):
            off = each["total variation"]
            kind = each["method"].partition(" ")[0]
            found[kind, each["result"]] = min(off, found.get((kind, each["result"]), off))
    listed = ", ".join(f"{show(off)} by {kind} to {bits}" for (kind, bits), off in found.items())
    return f"softmax of int8 real logits, total variation: {listed}"


CASE = Case(
    "int8_error", "softmax of int8 rows: error on real logits", ("hccs", "int8"), run, headline
)
