"""Softmax and its k largest in one pass, against PyTorch's softmax followed by its topk."""

from lib.case import Progress
from lib.report import Table, show
from peers.ground import Ground, member
from peers.topk_race import SHAPES, measure, ours_first

QUICK_SHAPES = ((4, 4096),)


def _run(ground: Ground, progress: Progress) -> list[Table]:
    kernels, options = ground.kernels("topk"), ground.options
    if not kernels:
        return []
    shapes = QUICK_SHAPES if options.quick else SHAPES
    progress.expect(len(shapes))
    tables = []
    for shape in shapes:
        progress.next(f"topk {shape[0]}x{shape[1]}")
        tables.append(measure(shape, kernels, options))
    return tables


def headline(tables: list[Table]) -> str | None:
    """Say what the best kernel costs; the case topk says it beside others."""
    first = ours_first(tables[0])[0]
    return f"{first['k']} largest of {tables[0].title.split()[1]} {show(first['ns/element'])} ns"


CASE = member("topk", "softmax and its k largest", ("topk",), _run, headline)
