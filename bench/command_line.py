"""What is done with the command line of the benchmark; arguments.py says what may be asked."""

import argparse
import shlex
import sys
import time
from fnmatch import fnmatchcase
from pathlib import Path

import against
from cases import CASES, GROUPS, members
from lib import baselines, machine, report, summary, timing
from lib.case import Options, Progress, on_stderr, runnable
from lib.ticker import Ticker
from peers import registry


def _names() -> dict[str, list[str]]:
    """Everything that can be chosen here, in the order of the library's table."""
    operations = {operation for case in CASES.values() for operation in case.operations}
    kernels = runnable(sorted(operations))
    return {
        "case": [*CASES, *GROUPS],
        "variant": list(dict.fromkeys(kernel.variant for kernel in kernels)),
        "ISA": list(dict.fromkeys(kernel.isa for kernel in kernels)),
    }


def _matches(case: str, pattern: str) -> bool:
    """Whether a pattern is of the whole name, or of the member's own."""
    return fnmatchcase(case, pattern) or fnmatchcase(case.rpartition("/")[2], pattern)


def cases_of(names: list[str], patterns: list[str]) -> list[str]:
    """Give the cases that are asked for, each once, in the order of the request.

    Raises
    ------
    ValueError
        If a pattern is the name of none of them.
    """
    wanted = [case for name in names for case in members(name)] if names else list(CASES)
    chosen: list[str] = []
    for pattern in patterns:
        found = [case for case in wanted if _matches(case, pattern)]
        if not found:
            raise ValueError(f"unknown case {pattern!r} here; there are: {', '.join(wanted)}")
        chosen += found
    return list(dict.fromkeys(chosen if patterns else wanted))


def _list() -> str:
    width = max(map(len, CASES))
    names = _names()
    return "\n".join(
        [
            "cases",
            *(f"  {case.name:{width}}  {case.summary}" for case in CASES.values()),
            "groups of them",
            *(f"  {name:{width}}  {summary}" for name, summary in GROUPS.items()),
            "variants",
            "  " + " ".join(names["variant"]),
            "ISAs",
            "  " + " ".join(names["ISA"]),
        ]
    )


def _problem(asked: argparse.Namespace) -> str | None:
    """Say why a request can't be met, apart from the names of cases in patterns."""
    known = _names()
    for what, names in (("case", asked.case), ("variant", asked.variant), ("ISA", asked.isa)):
        for name in names:
            if name not in known[what]:
                return f"unknown {what} {name!r} here; there are: {', '.join(known[what])}"
    for file in (asked.json, asked.markdown):
        if file and not file.parent.is_dir():
            return f"there is no folder {file.parent} for {file.name}"
    if asked.cpu_time and asked.threads > 1:
        return "--cpu-time adds threads up: it wants --threads 1"
    return None


def main(asked: argparse.Namespace, words: list[str]) -> int:
    """Run what is asked in `words`; return the exit status, 2 for a request that can't be met."""
    if asked.list:
        print(_list())
        return 0
    problem = _problem(asked)
    cases: list[str] = []
    if not problem and not asked.against:
        try:
            cases = cases_of(asked.case, asked.only)
        except ValueError as unknown:
            problem = str(unknown)
    if problem:
        print(f"bench/run.py: {problem}", file=sys.stderr)
        return 2
    command = shlex.join(["python", "bench/run.py", *_without_files(words)])
    return against.main(asked, command) if asked.against else _measure(asked, cases, command)


def _measure(asked: argparse.Namespace, cases: list[str], command: str) -> int:
    """Run the cases, print and write what they find."""
    if asked.cpu_time:
        timing.count_cpu_time()
    described = machine.describe()
    timing.pin(asked.threads)
    heading = machine.heading(described, asked.threads)
    print(heading, flush=True)
    options = Options(
        asked.quick,
        tuple(asked.variant),
        tuple(asked.isa),
        tuple(asked.shape),
        asked.runs or (1 if asked.quick else 2),
        asked.threads,
        asked.aligned,
    )
    brief = asked.quick and not asked.full
    tables = _run(cases, options, brief)
    if not tables:
        print(
            "bench/run.py: there is nothing to run: no such variant on that ISA (see --list), or "
            "no device",
            file=sys.stderr,
        )
        return 2
    reason = baselines.missed()
    described["absent"] = registry.MISSED | ({summary.LOOP: reason} if reason else {})
    described["idle"] = [name for name in cases if name not in tables]
    if brief:
        room = summary.MOST_LINES - len(heading.splitlines())
        shown = summary.lines(described, CASES, tables, most=room, left_out=registry.LEFT_OUT)
        print("\n".join(shown))
    elif reason:
        print(f"bench/run.py: no std::exp baselines: {reason}", file=sys.stderr)
    report.write(asked.json, asked.markdown, described, heading, command, tables)
    return _draw(asked.out, heading, tables) if asked.pictures else 0


def _without_files(words: list[str]) -> list[str]:
    """Leave out where results went: the command that a reader repeats."""
    kept = []
    rest = iter(words)
    for word in rest:
        flag, equals, _ = word.partition("=")
        if flag not in ("--json", "--markdown", "--out"):
            kept.append(word)
        elif not equals:
            next(rest)
    return kept


def _run(names: list[str], options: Options, brief: bool) -> dict[str, list[report.Table]]:
    """Run the cases one after another; print each as it ends, unless all is to be brief."""
    tables: dict[str, list[report.Table]] = {}
    ticker = Ticker()
    for name in names:
        begun = time.monotonic()
        progress = Progress(name, ticker.say if brief else on_stderr)
        if found := [table for table in CASES[name].run(options, progress) if table.rows]:
            tables[name] = found
        if brief:
            continue
        for table in found:
            print("\n" + report.as_text(table), flush=True)
        took = f"{time.monotonic() - begun:.0f} s" if found else "has nothing of this choice"
        print(f"{name}: {took}", file=sys.stderr)
    if brief:
        ticker.end()
    return tables


def _draw(folder: Path, heading: str, tables: dict[str, list[report.Table]]) -> int:
    try:
        import pictures
    except ModuleNotFoundError as missing:
        print(f"bench/run.py: no pictures: {missing}; pip install '.[bench]'", file=sys.stderr)
        return 2
    for path in pictures.draw(folder, heading, tables):
        print(f"wrote {path}", file=sys.stderr)
    return 0
