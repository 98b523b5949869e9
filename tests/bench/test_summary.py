"""What a quick run prints: 40 lines at most, a line for each variant and for each further case."""

import io
import sys
from pathlib import Path
from typing import Any

import pytest
from benched import Load, run
from cpu_kernels import cpu_kernels


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], str, Path]:
    """Run every case in haste: what it printed, what it said meanwhile, and its JSON."""
    file = tmp_path_factory.mktemp("quick") / "quick.json"
    done = run("--quick", "--shape", "4x64", "--json", str(file), hasty=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), done.stderr, file


def test_quick_prints_at_most_40_lines(quick: tuple[list[str], str, Path]) -> None:
    """Every variant on every ISA is in the table; only dots tell of the progress."""
    lines, said, _ = quick
    assert len(lines) <= 40
    assert set(said) == {".", "\n"}
    assert said.count("\n") == 1
    kernels = [k for k in cpu_kernels() if k.op == "online" and k.available]
    names = next(i for i, line in enumerate(lines) if line.startswith("variant "))
    assert {k.isa for k in kernels if k.dtype == "float32"} <= set(lines[names].split())
    variants = list(dict.fromkeys(k.variant for k in kernels))
    assert [line.split()[0] for line in lines[names + 2 :]][: len(variants)] == variants
    assert "real logits 1152x128" in lines[names - 1]
    for flag in ("--full", "--json FILE", "--markdown FILE"):
        assert flag in lines[-1]


def test_every_case_has_its_headline(bench: Load, quick: tuple[list[str], str, Path]) -> None:
    """Those that ran are among the lines; a case without peers may have nothing to say."""
    lines, _, file = quick
    cases, report = bench("cases"), bench("lib.report")
    _, _, tables = report.read_json(file)
    printed = " ".join(" ".join(lines).split())
    ran = [name for name in cases.CASES if not name.startswith("cuda/")]
    assert [name for name in ran if name in tables] == list(tables)
    for name in tables:
        said = cases.CASES[name].headline(tables[name])
        if name in ("rows", "int8_peers"):
            continue
        # the file holds four digits of a figure, of which three are shown
        assert said
        assert said.split()[0] in printed, name


def test_stored_tables_make_the_same_lines(bench: Load, quick: tuple[list[str], str, Path]) -> None:
    """Up to the last digit of a figure, which the file rounds before the line does."""
    lines, _, file = quick
    summary, registry = bench("lib.summary"), bench("peers.registry")
    machine, command, tables = bench("lib.report").read_json(file)
    assert command == "python bench/run.py --quick --shape 4x64"
    again = summary.lines(
        machine, bench("cases").CASES, tables, most=38, left_out=registry.LEFT_OUT
    )
    assert [line.split()[0] for line in again] == [line.split()[0] for line in lines[2:]]


def rows_table(bench: Load, names: list[str]) -> Any:
    """Make a table of the case rows: two ISAs, the worse one first."""
    rows = bench("cases.rows")
    table = bench("lib.report").Table("real logits 2x3", rows.COLUMNS)
    table.add("std::exp loop", None, 8.0, 8.0, 1.0, 1e-6, 1e-6, 1e-14, 1e-8)
    for name in names:
        table.add(name, "worse", 4.0, 4.0, 2.0, 0.5, 0.5, 0.5, 0.5)
        table.add(name, "better", 2.0, 2.0, 4.0, 0.25, 0.5, 0.125, 0.0625)
    return table


def test_the_best_isa_has_the_speedup_and_the_errors(bench: Load) -> None:
    """By the machine's own order; the loop's time stands in the first column."""
    table = rows_table(bench, ["one"])
    folded = bench("lib.summary").variants(table, ["better", "absent", "worse"])
    assert folded.columns[:4] == ["variant", "better", "worse", "x"]
    assert folded.rows == [
        ["std::exp loop", 8.0, None, 1.0, 1e-6, 1e-14, 1e-8],
        ["one", 2.0, 4.0, 4.0, 0.25, 0.125, 0.0625],
    ]


def test_variants_that_do_not_fit_are_named(bench: Load) -> None:
    """However many a search may find, the page is no longer."""
    names = [f"found{i}" for i in range(60)]
    tables = {"rows": [rows_table(bench, names)]}
    machine = {"isas": ["better", "worse"], "absent": {}, "idle": []}
    for most in (38, 12):
        shown = bench("lib.summary").lines(machine, bench("cases").CASES, tables, most=most)
        assert len(shown) == most
        last = int(shown[-3].split()[0].removeprefix("found"))
        assert shown[-2].startswith(f"and found{last + 1}, found{last + 2}")


def test_all_that_is_missing_is_one_line(bench: Load) -> None:
    """What isn't installed is only named; other reasons are told; a group once."""
    missed = {
        "jax": "ModuleNotFoundError: No module named 'jax'",
        "std::exp loop": "NotCompiled: no C++ compiler (tried c++)",
        "torch.compile": "slow",
    }
    machine = {"isas": [], "absent": missed, "idle": ["cuda/rows", "cuda/scan", "update"]}
    shown = bench("lib.summary").lines(machine, {}, {}, left_out="slow")
    assert shown[:-1] == [
        "not here: jax, std::exp loop (NotCompiled: no C++ compiler (tried c++)); "
        "slow: torch.compile; nothing to run in: cuda, update"
    ]


def test_a_group_is_idle_if_all_of_it_is(bench: Load) -> None:
    """Else its members are named."""
    summary = bench("lib.summary")
    names = ["peers/halves", "cuda/rows", "cuda/scan", "topk"]
    idle = summary._idle(names, {"peers/call": []})
    assert idle == ["peers/halves", "cuda", "topk"]  # by name: a group of cases


def test_full_prints_the_tables_of_a_quick_run() -> None:
    """With --full a table has its title, its note and each kernel; without it a line or two."""
    arguments = ("--quick", "--case", "rows", "--variant", "exact", "--shape", "4x64")
    full, brief = (run(*arguments, *more, hasty=True) for more in (["--full"], []))
    assert full.returncode == brief.returncode == 0
    assert full.stdout.count("\n# ") == 2
    assert "max rel error" in full.stdout
    assert "rows 1/2" in full.stderr
    assert brief.stdout.count("\n# ") == 1
    assert "max rel error" not in brief.stdout


def test_progress_leaves_no_line_on_a_terminal(
    bench: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line is written over and wiped at the end; elsewhere each part is a dot."""
    ticker = bench("lib.ticker")

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stream, wanted in ((Terminal(), "\r\x1b[Kfirst\r\x1b[K"), (io.StringIO(), ".\n")):
        monkeypatch.setattr(sys, "stderr", stream)
        ticking = ticker.Ticker()
        ticking.say("first")
        ticking.end()
        assert stream.getvalue() == wanted


def test_cuda_cases_have_headlines(bench: Load) -> None:
    """From tables such as a device would fill."""
    Table = bench("lib.report").Table
    cuda = {name: bench(f"cases.cuda.{name}") for name in ("rows", "int8", "scan", "heinsen")}
    rows = Table("cuda 2x3", cuda["rows"].COLUMNS)
    rows.add("copy", "float32", 1.0, 1.0, 2000.0, 1.0, None, None)
    rows.add("online/exact/cuda", "float32", 1.0, 1.0, 1900.0, 0.95, 2.0, 1e-7)
    assert cuda["rows"].CASE.headline([rows]) == (
        "cuda 2x3, exact softmax of float32: 1.90e+03 GB/s, 0.950 of a copy, 2.0x torch"
    )
    int8 = Table("cuda int8 2x3", cuda["int8"].COLUMNS)
    int8.add("copy", "int8", 1.0, 1.0, 2000.0, 1.0, 9.0)
    kernel = "int8/u8/cuda"  # by name: as in a table of results
    int8.add(kernel, "uint8", 2.0, 2.0, 1000.0, 0.5, 12.0)
    assert cuda["int8"].CASE.headline([int8]) == f"{int8.title} by {kernel}: 12x torch's chain"
    scan = Table("cuda scan", cuda["scan"].COLUMNS)
    scan.add("exact", 1024, 4096, 100.0, 90.0)
    scan.add("sr1", 1024, 4096, 120.0, 90.0)  # by name: as in a table of results
    assert cuda["scan"].CASE.headline([scan]) == "recurrence: 120e9 updates a second by sr1"
    heinsen = Table("cuda heinsen", cuda["heinsen"].COLUMNS)
    heinsen.add("prefill", 1024, 64, 8.0, 9.0, 0.5)
    assert cuda["heinsen"].CASE.headline([heinsen]) == (
        "Heinsen prefill, d = 64: 0.500 ns per token"
    )
