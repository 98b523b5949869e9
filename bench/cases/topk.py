"""Softmax and its k largest, every kernel; what is raced: topk_race.py."""

from lib.case import Case, Options, Progress, chosen
from lib.data_sets import Shape
from lib.report import Table
from peers.topk_race import SHAPES, headline, measure

QUICK_SHAPES: tuple[Shape, ...] = ((4, 32768),)


def run(options: Options, progress: Progress) -> list[Table]:
    """Run every shape."""
    kernels = chosen(options, "topk", "float32")
    if not kernels:
        return []
    shapes = options.shapes or (QUICK_SHAPES if options.quick else SHAPES)
    progress.expect(len(shapes))
    tables = []
    for shape in shapes:
        progress.next(f"topk {shape[0]}x{shape[1]}")
        tables.append(measure(shape, kernels, options))
    return tables


CASE = Case(
    "topk", "softmax and its k largest: one pass beside two steps", ("topk",), run, headline
)
