"""Throughput of int8 softmax against the number of threads, from 1 to `--threads`."""

from lib import timing
from lib.case import Case, Options, Progress, chosen, once_each
from lib.data_sets import Shape
from lib.int8_calls import calls_of
from lib.report import Table, show, times
from peers import int8

LENGTHS = (64, 128, 1024)
ELEMENTS = 1 << 22  # 0.3 ms or more on one thread, so that waking another costs little
QUICK_SHAPES: tuple[Shape, ...] = ((32768, 128),)
NOTE = "1e9 elements a second, on minima; --threads N measures 1 to N"


def run(options: Options, progress: Progress) -> list[Table]:
    """Run every shape with every number of threads."""
    kernels = [
        kernel
        for operation in CASE.operations
        for kernel in once_each(chosen(options, operation, "int8"))
    ]
    if not kernels:
        return []
    own = QUICK_SHAPES if options.quick else tuple((ELEMENTS // n, n) for n in LENGTHS)
    counts = range(1, options.threads + 1)
    table = Table(
        CASE.summary, ["rows", "kernel", "result", *(f"threads {n}" for n in counts)], note=NOTE
    )
    shapes = options.shapes or own
    progress.expect(len(shapes))
    for shape in shapes:
        progress.next(f"int8 {shape[0]}x{shape[1]}")
        x = int8.logits(shape)
        for kernel in kernels:
            by_count = {count: calls_of(kernel, x, count) for count in counts}
            for dtype in by_count[1]:
                calls = {str(count): by_count[count][dtype] for count in counts}
                taken = timing.interleave(calls, [None], options.rounds)
                rates = [x.size / taken[str(count)].minimum for count in counts]
                table.add(f"{shape[0]}x{shape[1]}", kernel.id, dtype, *rates)
    return [table]


def headline(tables: list[Table]) -> str | None:
    """Say how many elements a second all threads take."""
    first, last = tables[0].columns[3], tables[0].columns[-1]
    best = max(tables[0].records(), key=lambda each: each[last])
    gained = "" if first == last else f", {times(best[last] / best[first])} one"
    return (
        f"softmax of int8 {best['rows']}, {last}: {show(best[last])}e9 elements a second by "
        f"{best['kernel']}{gained}"
    )


CASE = Case(
    "int8_threads", "throughput of int8 softmax against threads", ("hccs", "int8"), run, headline
)
