"""Print the table of README.md from a stored run of the case `rows`.

python bench/readme_table.py [bench/results/rows.json]

Speed of the best ISA, and of each other one, beside the error, on the real attention logits.
"""

import json
import sys
from pathlib import Path
from typing import Any

STORED = Path(__file__).parent / "results" / "rows.json"


def table(stored: dict[str, Any]) -> str:
    """Return the first table of a stored run, one line a variant, as Markdown."""
    first = stored["tables"][0]
    machine = stored["machine"]
    isas = [isa for isa in machine["isas"] if any(row[1] == isa for row in first["rows"])]
    column = {name: index for index, name in enumerate(first["columns"])}
    lines: dict[str, list[list[object]]] = {}
    for row in first["rows"]:
        lines.setdefault(row[0], []).append(row)
    heading = ["softmax", *(f"{isa}" for isa in isas), "max abs error", "KL", "total variation"]
    text = [" | ".join(heading), " | ".join(["---", *["---:"] * (len(heading) - 1)])]
    for name, rows in lines.items():
        times = {row[1]: f"{row[column['ns/element']]:.3g}" for row in rows}
        if None in times:  # a baseline, which has no ISA of ours
            times = {isas[0]: times[None]}
        best = next((row for isa in isas for row in rows if row[1] == isa), rows[0])
        errors = [f"{best[column[key]]:.1e}" for key in ("max abs error", "KL", "total variation")]
        text.append(" | ".join([name, *(times.get(isa, "") for isa in isas), *errors]))
    rows_of = first["title"].removeprefix("real logits ")
    caption = (
        f"ns per element, {rows_of} float32, one thread, {machine['cpu']}, {machine['compiler']}; "
        f"errors of the first column's kernel: `{stored['command']}`"
    )
    return "\n".join([caption, "", *(f"| {line} |" for line in text)])


def main() -> None:
    """Print the table of the file named, or of the committed one."""
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else STORED
    print(table(json.loads(file.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()
