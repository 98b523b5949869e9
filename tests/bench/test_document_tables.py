"""The tables of the documents come from a stored run, and only those that it has are replaced."""

from pathlib import Path
from types import ModuleType

import pytest
from benched import Load

TEXT = """before
<!-- tables: other axes, -->
old
<!-- end -->
between
<!-- tables: topk -->
kept
<!-- end -->
<!-- tables: misses -->
<!-- end -->
"""


@pytest.fixture
def document(bench: Load) -> ModuleType:
    """Import the script as it is run."""
    return bench("document")


def test_blocks_are_replaced_by_their_tables(document: ModuleType) -> None:
    """What the run lacks stays; a second time changes nothing."""
    columns = ["rows", "ours", "ns", "ratio", "target", ""]
    axes = document.Table("other axes, one thread", columns)
    axes.add("4x5", "exact/isa", 0.25, 1.75, 1.5, "MISS")
    axes.add("6x7", "exact/isa", 0.25, 1.25, 1.5, "ok")
    found = document.written(TEXT, {}, [axes])
    assert "old" not in found
    assert "| 4x5 | exact/isa | 0.250 | 1.75 | 1.50 | MISS |" in found
    assert "kept" in found
    assert found.startswith("before\n")
    assert document.written(found, {}, [axes]) == found
    softmax = document.Table("softmax, N(0, 1)", columns)
    whole = document.written(TEXT, {}, [softmax, axes])
    assert "| other axes | exact/isa | 4x5 1.75 (1.5) |" in whole
    assert "6x7 1.25" not in whole.partition("misses")[2]


def test_the_documents_have_a_block_for_every_case(document: ModuleType) -> None:
    """By the titles of the stored run, and those of the cases that it may lack."""
    names = {
        name
        for file in document.DOCUMENTS
        for _, name, _ in document.BLOCK.findall(file.read_text(encoding="utf-8"))
    }
    _, tables = document.load(document.STORED)
    assert document.SPECIAL.keys() <= names
    for table in tables:
        assert "of everybody" in table.title or any(map(table.title.startswith, names)), table.title


def test_a_quick_run_and_one_of_the_rows_have_blocks_of_their_own(
    document: ModuleType, bench: Load, tmp_path: Path
) -> None:
    """The first as it was printed, with its command; neither touches the others' tables."""
    text = "<!-- tables: quick -->\n<!-- end -->\n<!-- tables: variants -->\nold\n<!-- end -->\n"
    text += TEXT
    found, tables = document.load(document.ROWS)
    every = document.written(text, found, tables)
    assert "| exact |" in every
    assert "real logits 4608x128" in every
    assert f"`{document.read_json(document.ROWS)[1]}`" in " ".join(every.split())
    assert every.startswith("<!-- tables: quick -->\n<!-- end -->")
    assert every.endswith(TEXT)
    file = tmp_path / "quick.json"
    machine = {**found, "absent": {}, "idle": ["cuda/rows"]}
    rows = bench("lib.report").read_json(document.ROWS)[2]["rows"][:1]
    bench("lib.report").write_json(file, machine, "python bench/run.py --quick", {"rows": rows})
    brief = document.written(text, *document.load(file))
    assert "```text\n$ python bench/run.py --quick\n" in brief
    assert "nothing to run in: cuda" in brief
    assert brief.count("\n") - text.count("\n") <= 40 + 3 + 2
    assert "<!-- tables: variants -->\nold\n" in brief
    assert brief.endswith(TEXT)
