"""The exact softmax and its kin against other libraries, and against what they should reach.

Each part is a section of its own (`--only`). Everything is measured `--runs` times over; a ratio is
that of the better run, since ratios wander by 0.1. The targets are in data/targets.json; they count
for the exact variant on one thread.

To add a section: a module with a `SECTION`, and its name here.
"""

from lib import targets
from lib.case import Case, Options, Progress
from lib.report import Table
from peers.ground import Ground, Section

from cases.peers import (
    axes,
    call,
    denormals,
    halves,
    imports,
    logsumexp,
    small,
    softmax,
    threads,
    topk,
)

MODULES = (softmax, logsumexp, halves, axes, threads, small, topk, denormals, call, imports)
SECTIONS: dict[str, Section] = {module.SECTION.name: module.SECTION for module in MODULES}


def run(options: Options, progress: Progress) -> list[Table]:
    """Run every section, or those chosen."""
    ground = Ground(options, targets.load())
    found: list[Table] = []
    for name in options.only or tuple(SECTIONS):
        found += SECTIONS[name].run(ground, Progress(f"{progress.case} {name}"))
    return [table for table in found if table.rows]


CASE = Case(
    "peers",
    "exact softmax and its kin against other libraries, with targets",
    ("online", "normalizer", "topk"),
    run,
)
