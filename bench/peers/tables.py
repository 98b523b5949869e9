"""Tables of contests: against the fastest peer and the target, everybody's times."""

from collections.abc import Callable

from lib import targets
from lib.data_sets import Shape
from lib.report import Table

from peers.ground import short
from peers.race import COPY, Contest


def repeat(runs: int, shapes: tuple[Shape, ...], one: Callable[[Shape], Contest]) -> list[Contest]:
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


def against(
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
                short(name),
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


def everybody(title: str, contests: list[Contest]) -> Table:
    """Show the times of all libraries, a row for a shape."""
    by_shape = _by_shape(contests)
    names = list(contests[0].times)
    table = Table(title, ["rows", *names], note="best of all runs; copy: of the same data")
    for shape, runs in by_shape.items():
        times = (min(run.times[name].minimum for run in runs) for name in names)
        table.add(f"{shape[0]}x{shape[1]}", *times)
    return table
