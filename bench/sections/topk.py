"""Softmax and its k largest in one pass, against PyTorch's softmax followed by its topk."""

from report import Table
from study import Progress
from topk_race import SHAPES, measure

from sections.base import Ground, Section

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


SECTION = Section("topk", "softmax and its k largest", _run)
