"""Softmax and its k largest in one pass, against PyTorch's softmax followed by its topk."""

from lib.case import Progress
from lib.report import Table
from peers.ground import Ground, member
from peers.topk_race import SHAPES, measure

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


CASE = member("topk", "softmax and its k largest", ("topk",), _run)
