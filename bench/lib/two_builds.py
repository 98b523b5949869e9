"""Compare this build with another one, in pinned processes that take turns.

A round is three processes: the other build, this one, the other again. `new/old` is the time of the
second over that of the first, `old/old` that of the third over the first: what the same measurement
says where nothing has changed. Both are medians of the rounds, on minima within a process.

Slower is what has `new/old` above 1.03 and above `old/old`. What seems so is measured once more,
alone and for longer: of many hundred calls a few are above by chance. Those figures count.
"""

import json
import math
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib.report import Table

BENCH = Path(__file__).parents[1]
ROUNDS = 5
LIMIT = 1.03
#: Seconds for all processes of a session; making the calls is not counted, some seconds a process.
SECONDS, QUICK_SECONDS = 240.0, 15.0
#: Of one call in one process: what is worth measuring at least, and enough.
LEAST, MOST = 0.003, 0.5
COLUMNS = ["kernel", "calls", "new/old", "old/old", "slowest call", "its new/old", "its old/old"]
NOTE = (
    f"medians of {ROUNDS} rounds in turns; of a kernel, the geometric mean over its calls; "
    "old/old: the other build beside itself"
)

Times = dict[str, float]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Ratio:
    """How a call, or a kernel, compares: medians of the rounds."""

    new: float
    old: float

    @property
    def slower(self) -> bool:
        """Whether it is by the rule."""
        return self.new > LIMIT and self.new > self.old


@dataclass(frozen=True)
class Round:
    """Times of one round: the other build, this one, the other again."""

    old: Times
    new: Times
    again: Times


class Failed(RuntimeError):
    """A build can't be measured at all; the message says why in a line."""


def kernel_of(call: str) -> str:
    """Give the kernel that a call is named after."""
    return call.partition(" ")[0]


def ratio(rounds: Iterable[Round], calls: list[str]) -> Ratio:
    """Compare the calls as one."""

    def mean(above: Times, below: Times) -> float:
        return math.exp(statistics.fmean(math.log(above[c] / below[c]) for c in calls))

    pairs = [(mean(r.new, r.old), mean(r.again, r.old)) for r in rounds]
    return Ratio(*(statistics.median(column) for column in zip(*pairs, strict=True)))


def run_one(site: Path | None, names: list[str] | None, seconds: float = 0) -> dict[str, Any]:
    """Measure one build in a process of its own, or list its calls; None is this build."""
    asked = {"site": str(site) if site else None, "names": names, "seconds": seconds}
    done = subprocess.run(
        [sys.executable, "-m", "lib.one_build"],
        cwd=BENCH,
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise Failed(f"{site or 'this build'}: {said[-1]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def session(
    site: Path, calls: list[str], seconds: float, say: Say, what: str
) -> tuple[list[Round], dict[str, dict[str, str]]]:
    """Measure the calls in turns; give the rounds, and what the ``old`` and the ``new`` lack."""
    each = min(MOST, max(LEAST, seconds / (3 * ROUNDS * len(calls))))
    rounds: list[Round] = []
    lacks: dict[str, dict[str, str]] = {"old": {}, "new": {}}
    for number in range(ROUNDS):
        taken = []
        for name, where in (("old", site), ("new", None), ("old", site)):
            say(f"{what}, round {number + 1}/{ROUNDS}: {name}")
            found = run_one(where, calls, each)
            taken.append(found["times"])
            lacks[name] |= found["absent"]
        rounds.append(Round(*taken))
    return rounds, lacks


@dataclass(frozen=True)
class Comparison:
    """What was found: all in a table, and the slower ones, kernels and calls."""

    table: Table
    calls: int
    slower: dict[str, Ratio]
    remarks: list[str]


def _groups(calls: Iterable[str]) -> dict[str, list[str]]:
    """Kernels with their calls, and each call alone."""
    found: dict[str, list[str]] = {}
    for call in calls:
        found.setdefault(kernel_of(call), []).append(call)
        found[call] = [call]
    return found


def judge(rounds: list[Round], calls: list[str]) -> dict[str, Ratio]:
    """Give the ratio of each kernel and of each call."""
    return {name: ratio(rounds, members) for name, members in _groups(calls).items()}


def _table(ratios: dict[str, Ratio], calls: list[str]) -> Table:
    table = Table("this build over the other one", COLUMNS, note=NOTE)
    for name, members in _groups(calls).items():
        if name not in calls:
            worst = max(members, key=lambda call: ratios[call].new)
            found, its = ratios[name], ratios[worst]
            what = worst.partition(" ")[2]
            table.add(name, len(members), found.new, found.old, what, its.new, its.old)
    return table


def _lacking(what: str, absent: dict[str, str]) -> list[str]:
    """Say in a line which kernels a build lacks calls of, and why the first of them."""
    names = list(dict.fromkeys(map(kernel_of, absent)))
    if not names:
        return []
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return [f"not in {what}: {', '.join(names[:3])}{more} ({next(iter(absent.values()))})"]


def compare(site: Path, wanted: Callable[[str], bool], seconds: float, say: Say) -> Comparison:
    """Compare this build with the one in a folder of packages.

    Parameters
    ----------
    site
        The folder that holds the other build's ``fastsoftmax``.
    wanted
        Tells by name whether a call is to be measured.
    seconds
        For the first session; what is measured again takes as long at most.
    say
        Is told what begins.

    Raises
    ------
    Failed
        If a build can't be measured, or both have none of the calls.
    """
    say("what there is")
    old, new = run_one(site, None), run_one(None, None)
    asked = [call for call in dict.fromkeys([*new["calls"], *old["calls"]]) if wanted(call)]
    if not asked:
        raise Failed("neither build has such a call")
    rounds, lacks = session(site, asked, seconds, say, f"{len(asked)} calls")
    remarks = [f"old: {old['build']}", f"new: {new['build']}"]
    remarks += _lacking("the old build", lacks["old"]) + _lacking("this build", lacks["new"])
    calls = [call for call in rounds[0].new if all(call in each.old for each in rounds)]
    if not calls:
        raise Failed("; ".join(["the builds have none of these calls in common", *remarks[2:]]))
    ratios = judge(rounds, calls)
    suspects = {name for name, found in ratios.items() if found.slower}
    again = [call for call in calls if suspects & {call, kernel_of(call)}]
    if again:
        longer, _ = session(site, again, seconds, say, f"{len(again)} calls again")
        ratios |= {name: r for name, r in judge(longer, again).items() if name in suspects}
    slower = {name: found for name, found in ratios.items() if found.slower}
    return Comparison(_table(ratios, calls), len(calls), slower, remarks)
