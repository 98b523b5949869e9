"""What `--against` does: compare this build with another one, say what is slower, end with 1 if so.

The other one is what `pip install --target FOLDER .` makes of another commit.
"""

import argparse
import sys
import time
from fnmatch import fnmatchcase

from lib import machine, report, two_builds
from lib.ticker import Ticker

NAME = "bench/run.py --against"


def _trouble(asked: argparse.Namespace) -> str | None:
    """Say why the request can't be met."""
    if asked.case or asked.shape or asked.threads > 1 or asked.pictures:
        return "it has calls of its own: choose with --only, --variant and --isa"
    if not (asked.against / "fastsoftmax" / "__init__.py").is_file():
        return f"there is no fastsoftmax in {asked.against}: it is to be a folder of packages"
    return None


def _wanted(asked: argparse.Namespace, call: str) -> bool:
    """Whether the user's choice leaves a call, by its name or by its kernel's."""
    kernel = two_builds.kernel_of(call)
    _, variant, isa = kernel.rsplit("/", 2)
    return (
        (not asked.variant or variant in asked.variant)
        and (not asked.isa or isa in asked.isa)
        and (not asked.only or any(fnmatchcase(n, p) for p in asked.only for n in (kernel, call)))
    )


def _verdict(found: two_builds.Comparison) -> list[str]:
    if not found.slower:
        return ["nothing is slower"]
    return [
        f"slower: {name}: {ratio.new:.3f} of the old time (old/old {ratio.old:.3f})"
        for name, ratio in found.slower.items()
    ]


def main(asked: argparse.Namespace, command: str) -> int:
    """Compare; return 1 if anything is slower, 2 for a request that can't be met."""
    if trouble := _trouble(asked):
        print(f"{NAME}: {trouble}", file=sys.stderr)
        return 2
    ticker = Ticker()
    begun = time.monotonic()
    seconds = two_builds.QUICK_SECONDS if asked.quick else two_builds.SECONDS
    try:
        found = two_builds.compare(
            asked.against.resolve(), lambda call: _wanted(asked, call), seconds, ticker.say
        )
    except two_builds.Failed as failure:
        ticker.end()
        print(f"{NAME}: {failure}", file=sys.stderr)
        return 2
    ticker.end()
    described = machine.describe()
    heading = machine.heading(described)
    took = f"{time.monotonic() - begun:.0f}"
    last = f"calls: {found.calls}, kernels: {len(found.table.rows)}, seconds: {took}"
    print("\n".join([heading, *found.remarks]))
    print("\n".join([report.as_text(found.table), last, *_verdict(found)]))
    tables = {"against": [found.table]}
    report.write(asked.json, asked.markdown, described, heading, command, tables)
    return 1 if found.slower else 0
