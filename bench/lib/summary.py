"""What a person reads of a quick run: at most 40 lines, made of the same tables as the full output.

One table has a line for each variant: its speed on every ISA, how many times as fast as a loop over
std::exp it is, and its errors. Every further case has a line. Members of a group share a few: the
first has one of its own, as the others would bury it.
"""

import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from lib.case import Case
from lib.report import Cell, Table, as_text

MOST_LINES = 40
WIDTH = 110
#: The case whose first table becomes that of the variants.
VARIANTS = "rows"
LOOP = "std::exp loop"
#: What stands over the errors, by the column that they are from.
ERRORS = {"max abs error": "max error", "KL": "mean KL", "total variation": "mean total variation"}
TITLE = "float32 softmax of {}: ns per element by ISA; {}errors, of the best"
SPEEDUP = "x: speed-up over std::exp, and "
ENDING = (
    "full tables: --full prints them, --json FILE and --markdown FILE write them; without --quick "
    "they are longer"
)
#: The start of the reason why most libraries are absent: it needs no words.
NOT_INSTALLED = "ModuleNotFoundError"

Tables = Mapping[str, list[Table]]


def variants(table: Table, isas: Iterable[str]) -> Table:
    """Fold a table of the case `rows`: a row for each variant, a column for each ISA."""
    rows: dict[str, list[dict[str, Cell]]] = {}
    for each in table.records():
        if each["ISA"] or each["variant"] == LOOP:
            rows.setdefault(each["variant"], []).append(each)
    measured = {each["ISA"] for found in rows.values() for each in found}
    shown = [isa for isa in isas if isa in measured]
    speedup = [f"x {LOOP}"] if LOOP in rows else []
    columns = ["variant", *shown, *(["x"] if speedup else []), *ERRORS.values()]
    folded = Table(TITLE.format(table.title, SPEEDUP if speedup else ""), columns)
    for name, found in rows.items():
        times = {each["ISA"]: each["ns/element"] for each in found}
        if None in times:  # a loop without an ISA of ours
            times = dict.fromkeys(shown[:1], times[None])
        best = min(found, key=lambda each: shown.index(str(each["ISA"])) if each["ISA"] else 0)
        figures = [best[column] for column in (*speedup, *ERRORS)]
        folded.add(name, *(times.get(isa) for isa in shown), *figures)
    return folded


def _headlines(cases: Mapping[str, Case], tables: Tables) -> list[str]:
    """Give the lines of all cases but the variants' own."""
    blocks: list[tuple[str, list[str]]] = []
    of_group: dict[str, list[str]] = {}
    for name, found in tables.items():
        said = None if name == VARIANTS else cases[name].headline(found)
        group = name.rpartition("/")[0]
        if said and group in of_group:
            of_group[group].append(said)
        elif said:
            others: list[str] = []
            blocks.append((said, others))
            if group:
                of_group[group] = others
    written = []
    for said, others in blocks:
        written.append(said)
        written += textwrap.wrap(
            "; ".join(others), WIDTH, initial_indent="  ", subsequent_indent="  "
        )
    return written


def _idle(names: Iterable[str], tables: Tables) -> list[str]:
    """Name the cases that had nothing to run, a group where none of its members had."""
    busy = {name.partition("/")[0] for name in tables}
    groups = {name: name.partition("/")[0] for name in names}
    return list(dict.fromkeys(name if group in busy else group for name, group in groups.items()))


def _absent(missed: Mapping[str, str], idle: list[str], left_out: str) -> list[str]:
    """Say in one line who isn't here, and who takes too long."""
    named = [name for name, reason in missed.items() if reason.startswith(NOT_INSTALLED)]
    for name, reason in missed.items():
        if reason != left_out and name not in named:
            named.append(f"{name} ({reason.splitlines()[0][:60]})")
    slow = [name for name, reason in missed.items() if reason == left_out]
    parts = (("not here", named), (left_out, slow), ("nothing to run in", idle))
    said = "; ".join(f"{what}: {', '.join(names)}" for what, names in parts if names)
    return [said] if said else []


def _fit(table: Table, most: int) -> list[str]:
    """Write the table in so many lines; the rows that don't fit are named in the last one."""
    lines = as_text(table).splitlines()
    if len(lines) <= most:
        return lines
    rest = [str(row[0]) for row in table.rows[most - len(lines) - 1 :]]
    said = textwrap.shorten(f"and {', '.join(rest)}", WIDTH, placeholder=" ...")
    return [*lines[: most - 1], said]


def lines(
    machine: Mapping[str, Any],
    cases: Mapping[str, Case],
    tables: Tables,
    *,
    most: int = MOST_LINES,
    left_out: str = "",
) -> list[str]:
    """Write all but the heading, in at most so many lines.

    Parameters
    ----------
    machine
        Its ``isas``, the best one first; why each library that is ``absent`` is absent; which
        cases were ``idle``.
    cases
        The registry.
    tables
        What each case found.
    left_out
        The reason of libraries that are only slow to prepare.
    """
    below = _headlines(cases, tables)
    below += _absent(machine["absent"], _idle(machine["idle"], tables), left_out)
    below.append(ENDING)
    if VARIANTS not in tables:
        return below
    return [*_fit(variants(tables[VARIANTS][0], machine["isas"]), most - len(below)), *below]
