"""Float32 rows in memory order against every library, and lengths between the kernels' classes."""

import fastsoftmax as fs
from lib import targets
from lib.case import Options, Progress
from lib.data_sets import Shape
from lib.report import Table, show, times
from peers import race, tables
from peers.ground import Ground, member, short
from peers.race import Contest

QUICK_SHAPES: tuple[Shape, ...] = ((1024, 128), (64, 4096))
#: Elements of a shape that is there for its length alone.
ELEMENTS = 1 << 18
EACH = "softmax of everybody, ns/element"


def main_shapes(ground: Ground) -> tuple[Shape, ...]:
    """Give the shapes that have targets, or what the user chose."""
    if ground.options.shapes:
        return ground.options.shapes
    return QUICK_SHAPES if ground.options.quick else tuple(ground.wanted.softmax)


def _lengths(found: targets.Targets) -> tuple[Shape, ...]:
    """Rows for the lengths that no target's shape has."""
    known = {columns for _, columns in found.softmax}
    return tuple((max(1, ELEMENTS // n), n) for n in found.neighbours if n not in known)


def data(options: Options) -> str:
    """Say what is measured, for a title."""
    threads = "one thread" if options.threads == 1 else f"{options.threads} threads"
    threads += ", arrays aligned to 64 bytes" if options.aligned else ""
    return f"N(0, {race.SIGMA:g}^2), float32, {threads}"


def note(ground: Ground) -> str:
    """Say how to read a table against the fastest peer."""
    return (
        "ours/peer: time over the fastest peer's in the same run, on minima, of the better of "
        f"{ground.options.runs} runs; ours/copy: over a copy of the same data"
        f"{ground.surveyed.note()}"
    )


def between(contests: list[Contest], found: targets.Targets) -> Table:
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
                verdict = targets.verdict(mine / its, found.between)
                table.add(short(name), length, mine, of, its, mine / its, found.between, verdict)
    return table


def _run(ground: Ground, progress: Progress) -> list[Table]:
    kernels, options, wanted = ground.kernels("online"), ground.options, ground.wanted
    shapes = main_shapes(ground)
    if not kernels:
        return []
    if not options.shapes and not options.quick:
        shapes += _lengths(wanted)
    progress.expect(options.runs * len(shapes))

    def one(shape: Shape) -> Contest:
        progress.next(f"softmax {shape[0]}x{shape[1]}")
        return race.softmax(shape, kernels, ground.surveyed.present, options)

    def limit(shape: Shape, kernel: fs.Kernel) -> float | None:
        found = wanted.softmax.get(shape, {}).get(kernel.isa)
        return found if ground.counts(kernel) else None

    rows = tables.repeat(options.runs, shapes, one)
    title = f"softmax, {data(options)}"
    return [
        tables.against(title, "rel error", note(ground), rows, limit),
        tables.everybody(EACH, rows),
        between(rows, wanted),
    ]


def headline(tables: list[Table]) -> str | None:
    """Say what the best kernel of ours costs, and how many times as fast as everybody it is."""
    table = next(table for table in tables if table.title == EACH)
    first = table.records()[0]
    rows = first.pop("rows")
    ours = {name: ns for name, ns in first.items() if name.startswith(race.OURS)}
    best = min(ours, key=lambda name: ours[name])
    others = [
        f"{times(ns / ours[best])} {name}"
        for name, ns in first.items()
        if name not in ours and name != race.COPY
    ]
    ns = f"{show(ours[best])} ns per element"
    return ", ".join([f"softmax of {rows} float32 by {short(best)}: {ns}", *others])


CASE = member(
    "softmax", "float32 rows, and lengths between the classes", ("online",), _run, headline
)
