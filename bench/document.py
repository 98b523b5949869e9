"""Write stored measurements into the tables of README.md and docs/performance.md.

    python bench/document.py [FILE]     from one stored run, or from all in bench/results
    python bench/document.py --measure  makes those of the group peers and --quick first: ten
                                        minutes on a quiet machine

A table stands between `<!-- tables: TITLES -->` and `<!-- end -->`, TITLES being how the titles of
its tables begin. Other names are: `quick`, all that a quick run prints; `variants`, the table of a
run of the case rows; `everybody`, the times of the libraries that come close; `misses`, all that
miss their target; `machine`, what measured. A block of which a run has no table stays as it is.
"""

import itertools
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cases import CASES
from lib import machine as machines
from lib import summary
from lib.machine import LIBRARIES
from lib.report import Table, as_markdown, read_json
from peers import registry

ROOT = Path(__file__).resolve().parents[1]
STORED = ROOT / "bench" / "results" / "peers.json"
QUICK = ROOT / "bench" / "results" / "quick.json"
ROWS = ROOT / "bench" / "results" / "rows.json"
#: What `--measure` runs for each.
RUNS = {STORED: ["--case", "peers", "--pictures"], QUICK: ["--quick"]}
DOCUMENTS = (ROOT / "README.md", ROOT / "docs" / "performance.md")
#: What is shown of everybody's times: the rows with targets, and who is worth a column.
SHAPES = ("4096x32", "1024x128", "256x1024", "64x4096", "8x32768", "1x1048576", "4096x8192")
OTHERS = ("XNNPACK", "ONNX Runtime", "torch", "jax", "OpenVINO", "copy")
BLOCK = re.compile(r"(<!-- tables: ([^>]*?) -->\n).*?(<!-- end -->)", re.DOTALL)

Tables = list[Table]


def load(file: Path) -> tuple[dict[str, Any], Tables]:
    """Read the machine and the tables of a stored run.

    The machine's ``block`` is the name and the body of the one block that the run is for, if it is:
    the tables of a quick run are too short for the others.
    """
    found, command, by_case = read_json(file)
    if "--quick" in command.split():
        heading = machines.heading(found)
        room = summary.MOST_LINES - len(heading.splitlines())
        shown = summary.lines(found, CASES, by_case, most=room, left_out=registry.LEFT_OUT)
        body = "\n".join(["```text", f"$ {command}", heading, *shown, "```"])
        found["block"] = ("quick", body)
    elif summary.VARIANTS in by_case:
        table = summary.variants(by_case[summary.VARIANTS][0], found["isas"])
        source = f"`{command}`; {found['cpu']}, {found['compiler']}, {found['date']}."
        body = f"{table.title[0].upper()}{table.title[1:]}. From {source}"
        found["block"] = ("variants", f"{textwrap.fill(body, 100)}\n\n{_plain(table, False)}")
    return found, [table for tables in by_case.values() for table in tables]


def _titled(tables: Tables, title: str) -> Tables:
    return [table for table in tables if table.title.startswith(title)]


def _plain(table: Table, heading: bool) -> str:
    """Write a table; a document's own words stand for the title of one alone, and for its note."""
    title, _, rest = as_markdown(Table(table.title, table.columns, table.rows)).partition("\n\n")
    return f"{title}\n\n{rest}" if heading else rest


def everybody(tables: Tables) -> str:
    """Show our kernels and the libraries that come close, a row for a shape."""
    found = _titled(tables, "softmax of everybody")
    if not found:
        return ""
    table = found[0]
    ours = [name for name in table.columns if name.startswith("fastsoftmax ")]
    names = ["rows", *ours, *(name for name in OTHERS if name in table.columns)]
    places = [table.columns.index(name) for name in names]
    short = [name.removeprefix("fastsoftmax ") for name in names]
    kept = [row for row in table.rows if row[0] in SHAPES]
    return _plain(Table("", short, [[row[i] for i in places] for row in kept]), False)


def misses(tables: Tables) -> str:
    """List every figure of a whole run that misses its target; it is left of the target."""
    if not _titled(tables, "softmax,"):
        return ""
    table = Table("", ["table", "ours", "figure (target)"])
    for each in tables:
        if "target" not in each.columns:
            continue
        place = each.columns.index("target")
        by_kernel: dict[str, list[str]] = {}
        for row in each.rows:
            if row[place + 1] == "MISS":
                leading = itertools.takewhile(lambda cell: isinstance(cell, str | int), row)
                words = [str(cell).removeprefix("fastsoftmax ") for cell in leading]
                kernel = next((word for word in words if word.count("/")), "")
                where = " ".join(word for word in words if word != kernel)
                by_kernel.setdefault(kernel, []).append(
                    f"{where} {float(row[place - 1] or 0):.2f} ({row[place]:g})"
                )
        for kernel, found in by_kernel.items():
            table.add(each.title.split(",")[0], kernel, ", ".join(found))
    return _plain(table, False) if table.rows else "None.\n"


SPECIAL: dict[str, Callable[[Tables], str]] = {"everybody": everybody, "misses": misses}


def machine(found: dict[str, Any], tables: Tables) -> str:
    """Name the machine of a whole run."""
    if not _titled(tables, "softmax,"):
        return ""
    versions = [f"{name} {found[name]}" for name in LIBRARIES if name in found]
    words = [
        f"{found['cpu']} ({found['architecture']}, {found['isas'][0]}), {found['cores']} cores",
        found["python"], found["compiler"], *versions, found["date"],
    ]  # fmt: skip
    return "\n".join(textwrap.wrap("; ".join(words) + ".", 100))


def written(text: str, found: dict[str, Any], tables: Tables) -> str:
    """Give a document with its blocks renewed."""

    def renew(block: re.Match[str]) -> str:
        name = block[2]
        if "block" in found:
            body = found["block"][1] if name == found["block"][0] else ""
        elif name == "machine":
            body = machine(found, tables)
        elif name in SPECIAL:
            body = SPECIAL[name](tables)
        else:
            chosen = _titled(tables, name)
            body = "\n\n".join(_plain(table, len(chosen) > 1) for table in chosen)
        return f"{block[1]}\n{body.strip()}\n\n{block[3]}" if body else block[0]

    return BLOCK.sub(renew, text)


def main() -> int:
    """Run what the command line says."""
    words = sys.argv[1:]
    files = [file for file in (*RUNS, ROWS) if file.exists()]
    if words == ["--measure"]:
        for file, arguments in RUNS.items():
            command = [sys.executable, str(ROOT / "bench" / "run.py"), *arguments]
            subprocess.run([*command, "--json", str(file)], cwd=ROOT, check=True)
    elif len(words) == 1 and not words[0].startswith("-"):
        files = [Path(words[0])]
    elif words:
        print(f"bench/document.py: --measure, or one file; not {' '.join(words)!r}")
        return 2
    for file in files:
        found, tables = load(file)
        for document in DOCUMENTS:
            text = document.read_text(encoding="utf-8")
            document.write_text(written(text, found, tables), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
