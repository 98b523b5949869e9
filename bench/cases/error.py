"""End to end: what a surrogate does to a whole row, which the article leaves open.

The article scores one step. Here whole rows go through every variant: guarded (`online`, which
takes the maximum first, and `scan`, which rescales), and raw, the published recurrence to the
letter. Three sentences of the article are checked with numbers: errors partially cancel;
overestimates push towards uniform; x > m restructures the sum.
"""

from collections.abc import Callable, Iterator
from functools import partial

import fastsoftmax as fs
import numpy as np
from lib import error_split, metrics
from lib.case import Case, Options, Progress, chosen, core, once_each
from lib.data_sets import SIGMAS, Shape, Workload, gaussian, real
from lib.exact_rows import Rows
from lib.metrics import Float64
from lib.report import Cell, Table, show

SHAPES: tuple[Shape, ...] = ((512, 128), (64, 2048), (32, 8192))
QUICK_SHAPES: tuple[Shape, ...] = ((16, 2048),)
#: Ways to make weights that could move the entropy: guarded ones, and raw ones that are weights.
OWN_WEIGHTS = (("online", "h"), ("scan", "max(h, 0)"))
#: The recurrences to the letter, which never rescale.
RAW = {k.variant for k in fs.kernels() if k.op == "scan" and k.rescale == "nothing"}
#: Entropy that changes by less has not changed.
STILL = 1e-9

Result = tuple[str, str, Float64, Float64]


def _median(figures: Float64) -> float:
    with np.errstate(all="ignore"):
        return float(np.median(figures))


def _is_raw(kernel: fs.Kernel) -> bool:
    return kernel.rescale == "nothing"


def _weigh(kernel: fs.Kernel, d: Float64) -> Float64:
    """h(d) of a variant in float32; of a raw one as published, neither clamped nor cut off."""
    flat = np.ascontiguousarray(d.ravel(), dtype=np.float32)
    out = np.empty_like(flat)
    if _is_raw(kernel):
        zero = np.zeros_like(flat)
        core.update(kernel.variant, kernel.isa, zero, zero, flat, out, 1)
    else:
        core.weight(kernel.variant, kernel.isa, flat, out)
    return out.reshape(d.shape).astype(np.float64)


def _increment(kernel: fs.Kernel, d: Float64) -> Float64:
    """h(d) of a raw variant in float64."""
    flat = np.ascontiguousarray(d.ravel())
    zero, out = np.zeros_like(flat), np.empty_like(flat)
    core.update(kernel.variant, kernel.isa, zero, zero, flat, out, 1)
    return out.reshape(d.shape)


def _results(rows: Rows, kernel: fs.Kernel, online: dict[str, fs.Kernel]) -> Iterator[Result]:
    """Every way to make weights with one variant: where s is from, what is divided, s, weights."""
    fast = online.get(kernel.variant)
    if fast is not None:
        weights = fs.online(rows.logits, kernel.variant, isa=fast.isa).astype(np.float64)
        s = fs.normalizer(rows.logits, kernel.variant, isa=fast.isa)[1].astype(np.float64)
        yield "online", "h", s, weights
    s = fs.scan(rows.logits, kernel.variant, isa=kernel.isa)[1].astype(np.float64)
    h = _weigh(kernel, rows.d)
    yield "scan", "exp", s, np.exp(rows.d) / s[:, None]
    yield "scan", "h", s, h / s[:, None]
    if _is_raw(kernel):
        yield "scan", "max(h, 0)", s, np.maximum(h, 0.0) / s[:, None]


def _end_to_end() -> Table:
    columns = [
        "rows", "variant", "s from", "numerators", "s rel error", "KL", "total variation",
        "attention output error", "sum of weights",
    ]  # fmt: skip
    note = (
        "medians over the rows; numerators exp: exact ones, over the surrogate's s; h: the "
        "surrogate's own, of a raw variant as published (below 0 too, where KL is inf); "
        "max(h, 0): cut at 0"
    )
    return Table("End to end, guarded and raw", columns, note=note)


def _uniform() -> Table:
    columns = [
        "rows", "variant", "s from", "numerators", "s over %", "then more uniform %", "s under %",
        "then less uniform %", "correlation", "entropy change",
    ]  # fmt: skip
    note = (
        "Do overestimates of s push towards uniform? Entropy in nats of the surrogate's own "
        "weights, scaled to sum 1 (exact numerators over any s keep it); correlation over the rows "
        "of ln(s/exact) with the change of entropy; median change"
    )
    return Table("Sign of the error of s against the change of entropy", columns, note=note)


def _add_results(
    rows: Rows, kernel: fs.Kernel, online: dict[str, fs.Kernel], ends: Table, uniform: Table
) -> None:
    entropy = metrics.entropy(rows.weights)
    for source, numerators, s, weights in _results(rows, kernel, online):
        with np.errstate(all="ignore"):
            figures = (
                np.abs(s / rows.s - 1),
                metrics.kl(weights, rows.weights),
                metrics.total_variation(weights, rows.weights),
                metrics.relative_l2(weights @ rows.values, rows.output),
                weights.sum(axis=1),
            )
        label = (rows.name, kernel.variant, source, numerators)
        ends.add(*label, *(_median(figure) for figure in figures))
        if (source, numerators) in OWN_WEIGHTS:
            change = metrics.entropy(weights) - entropy
            uniform.add(*label, *_towards_uniform(s / rows.s, change))


def _towards_uniform(ratio: Float64, change: Float64) -> list[Cell]:
    """Shares of rows in per cent, the correlation if anything varies, the median change."""
    over, under = ratio > 1, ratio < 1
    known = np.isfinite(change) & (ratio > 0) & np.isfinite(ratio)
    logs, changes = np.log(ratio[known]), change[known]
    varies = len(logs) > 2 and changes.std() > STILL and logs.std() > 0
    return [
        100 * float(over.mean()),
        100 * float((change[over] > STILL).mean()) if over.any() else None,
        100 * float(under.mean()),
        100 * float((change[under] < -STILL).mean()) if under.any() else None,
        float(np.corrcoef(logs, changes)[0, 1]) if varies else None,
        _median(change),
    ]


def _parts() -> Table:
    columns = [
        "rows", "variant", "drift, d >= -7", "extrapolation, d < -7", "increments at new max",
        "missing rescales", "rounding", "total",
    ]  # fmt: skip
    note = "means over the rows, relative to the exact s, signed; the parts add up to the total"
    return Table("Error of the raw s, in parts", columns, note=note)


def _add_parts(rows: Rows, kernel: fs.Kernel, table: Table) -> None:
    s_raw = fs.scan(rows.logits, kernel.variant, isa=kernel.isa)[1].astype(np.float64)
    parts = error_split.split(rows, partial(_increment, kernel), s_raw)
    figures = (
        parts.drift,
        parts.extrapolation,
        parts.new_max,
        parts.missing_rescales,
        parts.rounding,
        parts.total,
    )
    table.add(rows.name, kernel.variant, *(float(figure.mean()) for figure in figures))


def _cancelling() -> Table:
    columns = [
        "rows", "variant", "maximum", "sum of abs(h - e^d)", "abs of the sum", "ratio",
        "drift / s",
    ]  # fmt: skip
    note = (
        "Do the errors cancel? Medians over the rows; maximum known: d from the row's maximum; "
        "running: from the maximum so far, steps without a new one only; ratio 0: all cancelled, "
        "1: none; drift with its sign"
    )
    return Table("Errors of the increments with and without their signs", columns, note=note)


def _add_cancelling(rows: Rows, kernel: fs.Kernel, table: Table) -> None:
    found = {"known": error_split.cancelling(rows.d, partial(_weigh, kernel))}
    if _is_raw(kernel):
        increment = partial(_increment, kernel)
        found["running"] = error_split.cancelling(rows.steps, increment, rows.steps <= 0)
    for maximum, errors in found.items():
        figures = (errors.absolute, np.abs(errors.signed), errors.ratio, errors.signed / rows.s)
        table.add(rows.name, kernel.variant, maximum, *(_median(figure) for figure in figures))


def _rises() -> Table:
    columns = [
        "rows", "variant", "steps %", "exact change of s", "change of s", "mean abs error there",
        "elsewhere", "share of all error %", "exact slope in s", "slope in s",
    ]  # fmt: skip
    note = (
        "Does x > m restructure the sum? Single steps from the exact state, double; means over the "
        "steps with a new maximum; slope: by how much s' grows with s, exactly exp(m - x)"
    )
    return Table("Steps with a new maximum", columns, note=note)


def _add_rises(rows: Rows, kernel: fs.Kernel, table: Table) -> None:
    m, s, x, exact = (
        np.ascontiguousarray(part).ravel()
        for part in (rows.maxima[:, :-1], rows.sums[:, :-1], rows.x[:, 1:], rows.sums[:, 1:])
    )
    new, raised = np.empty_like(s), np.empty_like(s)
    core.update(kernel.variant, kernel.isa, m, s, x, new, 1)
    core.update(kernel.variant, kernel.isa, m, s + 1, x, raised, 1)
    rises = x > m
    wrong = np.abs(new - exact)
    figures: tuple[Callable[[], float], ...] = (
        lambda: 100 * rises.mean(),
        lambda: (exact - s)[rises].mean(),
        lambda: (new - s)[rises].mean(),
        lambda: wrong[rises].mean(),
        lambda: wrong[~rises].mean(),
        lambda: 100 * wrong[rises].sum() / wrong.sum(),
        lambda: np.exp(m - x)[rises].mean(),
        lambda: (raised - new)[rises].mean(),
    )
    table.add(rows.name, kernel.variant, *(float(figure()) for figure in figures))


def workloads(options: Options) -> list[Workload]:
    """Rows to run: the real logits, and Gaussian ones of the chosen shapes."""
    shapes = options.shapes or (QUICK_SHAPES if options.quick else SHAPES)
    random = [gaussian(shape, sigma) for shape in shapes for sigma in SIGMAS]
    return [real(every=16 if options.quick else 1), *random]


def run(options: Options, progress: Progress) -> list[Table]:
    """Run every workload through every variant, each on the best ISA of the choice."""
    scans = once_each(chosen(options, "scan", "float32"))
    steps = once_each(chosen(options, "update", "float64"))
    online = {k.variant: k for k in once_each(chosen(options, "online", "float32"))}
    if not scans:
        return []
    ends, uniform, parts, cancels, rises = (
        _end_to_end(),
        _uniform(),
        _parts(),
        _cancelling(),
        _rises(),
    )
    todo = workloads(options)
    progress.expect(len(todo))
    for workload in todo:
        progress.next(workload.name)
        rows = Rows.of(workload)
        for kernel in scans:
            _add_results(rows, kernel, online, ends, uniform)
            _add_cancelling(rows, kernel, cancels)
            if _is_raw(kernel):
                _add_parts(rows, kernel, parts)
        for kernel in steps:
            _add_rises(rows, kernel, rises)
    return [table for table in (ends, parts, cancels, uniform, rises) if table.rows]


def headline(tables: list[Table]) -> str | None:
    """Say how far off s is over whole rows, of raw recurrences and of those that rescale."""
    ends = tables[0].records()
    scans = [each for each in ends if each["s from"] == "scan" and each["numerators"] == "h"]
    scans = [each for each in scans if each["rows"] == ends[0]["rows"]]
    off = {each["variant"]: 100 * abs(float(each["s rel error"])) for each in scans}
    raw = [off[variant] for variant in off if variant in RAW]
    guarded = [value for variant, value in off.items() if variant not in RAW]
    said = [f"error of s over {ends[0]['rows']}:"]
    if raw:
        said.append(f"{show(min(raw))} % and more by the recurrences as published,")
    if guarded:
        said.append(f"{show(min(guarded))} to {show(max(guarded))} % where they rescale")
    return " ".join(said).rstrip(",")


CASE = Case(
    "error",
    "whole rows, guarded and raw: s, KL, output, drift",
    ("scan", "update", "online"),
    run,
    headline,
)
