"""The exact softmax and log-sum-exp against other libraries, and against what they should reach.

Everything is measured `--runs` times over; a ratio is that of the better run, since ratios wander
by 0.1. The targets are in data/targets.json; they count for the exact variant on one thread.
"""

import inspect
from collections.abc import Callable
from dataclasses import replace

import contest
import denormals
import fastsoftmax as fs
import peers
import small_call
import targets
from contest import COPY, Contest
from data_sets import Shape
from report import Table
from study import Case, Options, Progress, chosen, once_each

QUICK_SHAPES: tuple[Shape, ...] = ((1024, 128), (64, 4096))
#: Elements of a shape that is there for its length alone.
ELEMENTS = 1 << 18
#: The ISA that most machines have, measured beside the best one.
COMMON = "avx2"  # by name: the targets of the peers are set for it
#: What `online` runs when no variant is named.
DEFAULT = inspect.signature(fs.online).parameters["variant"].default
EACH, EACH_LOGSUMEXP = "softmax of everybody, ns/element", "logsumexp of everybody, ns/element"


def _kernels(options: Options, operation: str) -> list[fs.Kernel]:
    """Keep what the user chose; otherwise the default variant, on the best ISA and on AVX2."""
    named = replace(options, variants=options.variants or (DEFAULT,))
    found = chosen(named, operation, "float32")
    if options.isas:
        return found
    common = [kernel for kernel in found if kernel.isa == COMMON]
    return list(dict.fromkeys([*once_each(found), *common]))


def _lengths(found: targets.Targets) -> tuple[Shape, ...]:
    """Rows for the lengths that no target's shape has."""
    known = {columns for _, columns in found.softmax}
    return tuple((max(1, ELEMENTS // n), n) for n in found.neighbours if n not in known)


def _repeat(runs: int, shapes: tuple[Shape, ...], one: Callable[[Shape], Contest]) -> list[Contest]:
    """All shapes, then all again: a disturbance should not meet both runs of a shape."""
    return [one(shape) for _ in range(runs) for shape in shapes]


def _by_shape(contests: list[Contest]) -> dict[Shape, list[Contest]]:
    found: dict[Shape, list[Contest]] = {}
    for each in contests:
        found.setdefault(each.shape, []).append(each)
    return found


def _ratio_to_fastest(found: Contest, name: str) -> float:
    ratio = found.ratio(name, found.fastest)
    return found.times[name].minimum if ratio is None else ratio


def _against(
    title: str, error: str, note: str, contests: list[Contest], target: Callable[..., float | None]
) -> Table:
    """One row for a shape and a kernel of ours, beside the fastest peer and the target."""
    columns = [
        "rows", "ours", "ns/element", "fastest peer", "its ns/element", "ours/peer", "target", "",
        "other runs", "ours/copy", error, f"peer's {error}",
    ]  # fmt: skip
    table = Table(title, columns, note=note)
    for shape, runs in _by_shape(contests).items():
        for name, kernel in runs[0].ours.items():
            best, *others = sorted(runs, key=lambda run: _ratio_to_fastest(run, name))
            peer = best.fastest
            ratio, limit = best.ratio(name, peer), target(shape, kernel)
            table.add(
                f"{shape[0]}x{shape[1]}",
                name.removeprefix("fastsoftmax "),
                best.times[name].minimum,
                peer,
                best.times[peer].minimum if peer else None,
                ratio,
                limit,
                None if ratio is None else targets.verdict(ratio, limit),
                " ".join(f"{_ratio_to_fastest(run, name):.2f}" for run in others) or None,
                best.ratio(name, COPY),
                best.errors[name],
                best.errors[peer] if peer else None,
            )
    return table


def _everybody(title: str, contests: list[Contest]) -> Table:
    """Show the times of all libraries, a row for a shape."""
    by_shape = _by_shape(contests)
    names = list(contests[0].times)
    table = Table(title, ["rows", *names], note="best of all runs; copy: of the same data")
    for shape, runs in by_shape.items():
        times = (min(run.times[name].minimum for run in runs) for name in names)
        table.add(f"{shape[0]}x{shape[1]}", *times)
    return table


def _between(contests: list[Contest], found: targets.Targets) -> Table:
    """Compare lengths between the kernels' classes with the main length nearest to them."""
    best: dict[tuple[int, str], float] = {}
    for each in contests:
        for name in each.ours:
            key = (each.shape[1], name)
            best[key] = min(best.get(key, float("inf")), each.times[name].minimum)
    table = Table(
        "lengths between the classes",
        ["ours", "columns", "ns/element", "of", "its ns/element", "ratio", "target", ""],
        note="time for an element over that at the length `of`; best of all runs",
    )
    for name in contests[0].ours:
        for length, of in found.neighbours.items():
            if (length, name) in best and (of, name) in best:
                mine, its = best[length, name], best[of, name]
                label = name.removeprefix("fastsoftmax ")
                verdict = targets.verdict(mine / its, found.between)
                table.add(label, length, mine, of, its, mine / its, found.between, verdict)
    return table


def run(options: Options, progress: Progress) -> list[Table]:
    """Run softmax, log-sum-exp, rows with denormal results, and the small call."""
    softmax, sums = _kernels(options, "online"), _kernels(options, "normalizer")
    if not softmax:
        return []
    wanted = targets.load()
    surveyed = peers.survey(options.threads)
    own = QUICK_SHAPES if options.quick else (*wanted.softmax, *_lengths(wanted))
    shapes = options.shapes or own
    main = tuple(shape for shape in shapes if options.shapes or shape in wanted.softmax)
    progress.expect(options.runs * (len(shapes) + len(main)) + 2)

    def one(
        contender: Callable[..., Contest], kernels: list[fs.Kernel], what: str
    ) -> Callable[[Shape], Contest]:
        def measure(shape: Shape) -> Contest:
            progress.next(f"{what} {shape[0]}x{shape[1]}")
            return contender(shape, kernels, surveyed.present, options)

        return measure

    def ratio(shape: Shape, kernel: fs.Kernel) -> float | None:
        counts = kernel.variant == "exact" and options.threads == 1
        return wanted.softmax.get(shape, {}).get(kernel.isa) if counts else None

    threads = "one thread" if options.threads == 1 else f"{options.threads} threads"
    threads += ", arrays aligned to 64 bytes" if options.aligned else ""
    data = f"N(0, {contest.SIGMA:g}^2), float32, {threads}"
    note = (
        "ours/peer: time over the fastest peer's in the same run, on minima, of the better of "
        f"{options.runs} runs; ours/copy: over a copy of the same data{surveyed.note()}"
    )
    rows = _repeat(options.runs, shapes, one(contest.softmax, softmax, "softmax"))
    tables = [_against(f"softmax, {data}", "rel error", note, rows, ratio)]
    tables += [_everybody(EACH, rows), _between(rows, wanted)]
    if sums:
        found = _repeat(options.runs, main, one(contest.logsumexp, sums, "logsumexp"))

        def limit(shape: Shape, kernel: fs.Kernel) -> float | None:
            counts = kernel.variant == "exact" and options.threads == 1
            return wanted.logsumexp if counts else None

        tables += [_against(f"logsumexp, {data}", "abs error", note, found, limit)]
        tables += [_everybody(EACH_LOGSUMEXP, found)]
    progress.next("rows with denormal results")
    tables.append(denormals.measure(softmax, surveyed.present, wanted.denormal, options))
    progress.next("one small call")
    tables.append(small_call.measure(surveyed.present, wanted, options))
    return [table for table in tables if table.rows]


CASE = Case(
    "peers",
    "exact softmax and logsumexp against other libraries, with targets",
    ("online", "normalizer"),
    run,
)
