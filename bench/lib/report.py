"""Tables as text for the terminal, as Markdown for the documents, as JSON for programs."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Cell = str | int | float | None


@dataclass
class Table:
    """Named columns and rows of cells; `note` says how to read them."""

    title: str
    columns: list[str]
    rows: list[list[Cell]] = field(default_factory=list)
    note: str = ""

    def add(self, *cells: Cell) -> None:
        """Append one row."""
        if len(cells) != len(self.columns):
            raise ValueError(f"{self.title}: {len(cells)} cells for {len(self.columns)} columns")
        self.rows.append(list(cells))

    def column(self, name: str) -> list[Cell]:
        """All cells under one heading."""
        place = self.columns.index(name)
        return [row[place] for row in self.rows]

    def records(self) -> list[dict[str, Any]]:
        """All rows by the names of the columns."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def show(cell: Cell) -> str:
    """Write a cell for a person: three digits of a float, a dash for nothing."""
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return "nan" if math.isnan(cell) else f"{cell:#.3g}".rstrip(".")
    return str(cell)


def times(ratio: float) -> str:
    """Write how many times as fast something is, in two digits."""
    return f"{ratio:.0f}x" if ratio >= 9.95 else f"{ratio:.1f}x"


def as_text(table: Table) -> str:
    """Align the columns: text to the left, numbers to the right."""
    lines = [table.columns] + [[show(cell) for cell in row] for row in table.rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(table.columns))]
    left = [any(isinstance(row[i], str) for row in table.rows) for i in range(len(table.columns))]

    def align(line: list[str]) -> str:
        cells = zip(line, widths, left, strict=True)
        return "  ".join(c.ljust(w) if to_left else c.rjust(w) for c, w, to_left in cells).rstrip()

    head = [f"# {table.title}"] + ([table.note] if table.note else [])
    return "\n".join(head + [align(line) for line in lines])


def as_markdown(table: Table) -> str:
    """Write the table in Markdown, its title in bold and its note above."""
    left = [any(isinstance(row[i], str) for row in table.rows) for i in range(len(table.columns))]
    lines = [
        table.columns,
        ["---" if to_left else "---:" for to_left in left],
        *[[show(cell) for cell in row] for row in table.rows],
    ]
    head = f"**{table.title}**" + (f"\\\n{table.note}" if table.note else "")
    return head + "\n\n" + "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _plain(cell: Cell) -> Cell:
    """Four digits are all that a measurement holds; JSON has no infinity and no NaN."""
    if isinstance(cell, float):
        return float(f"{cell:.4g}") if math.isfinite(cell) else str(cell)
    return cell


def read_json(path: Path) -> tuple[dict[str, Any], str, dict[str, list[Table]]]:
    """Read what `write_json` wrote: machine, command, and the tables of each case."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    tables: dict[str, list[Table]] = {}
    for each in stored["tables"]:
        table = Table(each["title"], each["columns"], each["rows"], each["note"])
        tables.setdefault(each["case"], []).append(table)
    return stored["machine"], stored["command"], tables


def write_json(
    path: Path, machine: dict[str, object], command: str, tables: dict[str, list[Table]]
) -> None:
    """Write everything; a table is its list of columns and a list of rows, one row a line."""
    blocks = []
    for case, found in tables.items():
        for table in found:
            rows = ",\n".join("   " + json.dumps([_plain(c) for c in row]) for row in table.rows)
            head = {
                "case": case,
                "title": table.title,
                "note": table.note,
                "columns": table.columns,
            }
            blocks.append(f'  {json.dumps(head)[:-1]}, "rows": [\n{rows}\n  ]}}')
    path.write_text(
        f'{{"machine": {json.dumps(machine)},\n "command": {json.dumps(command)},\n "tables": [\n'
        + ",\n".join(blocks)
        + "\n]}\n",
        encoding="utf-8",
    )


def write(
    json_file: Path | None,
    markdown_file: Path | None,
    described: dict[str, object],
    heading: str,
    command: str,
    tables: dict[str, list[Table]],
) -> None:
    """Write all that was found, to those files that are wanted."""
    if json_file:
        write_json(json_file, described, command, tables)
    if markdown_file:
        blocks = [as_markdown(table) for found in tables.values() for table in found]
        text = "\n\n".join([f"`{command}`\\\n{heading.replace(chr(10), '; ')}", *blocks])
        markdown_file.write_text(text + "\n", encoding="utf-8")
