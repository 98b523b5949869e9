"""The article's experiment on a CUDA device: the recurrence, a thread for each sequence.

How many updates a second, against the number of sequences: few leave most of a GPU idle, many are
bound by memory, and only between could a cheaper update show. docs/gpu.md predicts the table.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import fastsoftmax as fs
from lib.case import Case, Options, Progress
from lib.device import Call, Timed, find
from lib.report import Table, show

SEQUENCES = tuple(1 << power for power in (10, 12, 14, 16, 18, 20))
QUICK_SEQUENCES = SEQUENCES[::2]
#: Logits of a job, and how long a sequence is at least and at most.
ELEMENTS, SHORTEST, LONGEST = 1 << 26, 64, 4096
COLUMNS = ["variant", "sequences", "steps", "G updates/s", "median"]
NOTE = "logits [steps, sequences] of N(0, 1), scanned along the first axis, 8 fetched ahead"


def steps_of(sequences: int) -> int:
    """Give the length of so many sequences."""
    return max(SHORTEST, min(LONGEST, ELEMENTS // sequences))


def measure(
    random: Callable[[tuple[int, int]], Any],
    timed: Timed,
    kernels: list[fs.Kernel],
    sequences: tuple[int, ...],
) -> Table:
    """Time the recurrence of every variant; `random` makes logits on the device."""
    table = Table("cuda scan", COLUMNS, note=NOTE)
    variants = [kernel.variant for kernel in kernels if kernel.op == "scan"]
    for count in sequences:
        steps = steps_of(count)
        x = random((steps, count))
        calls: dict[str, Call] = {
            variant: partial(fs.scan, x, variant, axis=0) for variant in variants
        }
        for variant, (least, median) in timed(calls).items():
            updates = steps * count
            table.add(variant, count, steps, updates / least, updates / median)
    return table


def run(options: Options, progress: Progress) -> list[Table]:
    """Run every number of sequences; nothing without a device."""
    device = find(options)
    if device is None:
        return []
    progress.expect(1)
    progress.next("recurrence")
    sequences = QUICK_SEQUENCES if options.quick else SEQUENCES
    return [measure(device.random, device.timed, device.kernels, sequences)]


def headline(tables: list[Table]) -> str | None:
    """Say how many updates a second the fastest variant makes."""
    best = max(tables[0].records(), key=lambda each: each["G updates/s"])
    return f"recurrence: {show(best['G updates/s'])}e9 updates a second by {best['variant']}"


CASE = Case("cuda/scan", "the recurrence, a thread for each sequence", (), run, headline)
