"""The benchmark runs, shows every row of the table and measures errors as it says. No timings."""

import importlib
import importlib.util
import os
from pathlib import Path

import fastsoftmax as fs
import pytest
from benched import Load, column, result_of, run
from cpu_kernels import cpu_kernels
from repository import BENCH


def test_list_names_all_there_is() -> None:
    """Every case, variant and ISA of the table is listed."""
    done = run("--list")
    assert done.returncode == 0
    words = set(done.stdout.split())
    assert {"update", "rows", "error", "peers"} <= words
    studied = [k for k in cpu_kernels() if k.op in ("online", "scan", "update") and k.available]
    assert {k.variant for k in studied} | {k.isa for k in studied} <= words


def test_every_case_is_in_the_one_registry(bench: Load) -> None:
    """Each module of the folder has a case, none is forgotten, and no name stands for two."""
    cases = bench("cases")
    folder = BENCH / "cases"
    files = {
        ".".join(path.relative_to(BENCH).with_suffix("").parts)
        for path in folder.rglob("*.py")
        if path.name != "__init__.py"
    }
    assert files == {module.__name__ for module in cases.MODULES}
    assert [module.CASE.name for module in cases.MODULES] == list(cases.CASES)
    assert len(cases.CASES) == len(files)
    grouped = {name.partition("/")[0] for name in cases.CASES if "/" in name}
    assert grouped == set(cases.GROUPS)
    assert grouped.isdisjoint(cases.CASES)


def test_a_group_stands_for_its_members(bench: Load) -> None:
    """Cases come once each, as asked for; a pattern also means a member's own name."""
    cases, cases_of = bench("cases"), bench("command_line").cases_of
    assert cases_of([], []) == list(cases.CASES)
    peers = [name for name in cases.CASES if name.startswith("peers/")]
    others = [name for name in peers if name != "peers/call"]
    assert cases_of(["peers/call", "peers"], []) == ["peers/call", *others]
    assert cases_of(["peers"], ["call", "peers/[ab]*"]) == ["peers/call", "peers/axes"]
    assert cases_of([], ["topk"]) == ["peers/topk", "topk"]
    with pytest.raises(ValueError, match=r"unknown case 'rows'.*peers/axes"):
        cases_of(["peers"], ["rows"])


@pytest.mark.parametrize("flag", ["--case", "--only", "--variant", "--isa"])
def test_unknown_names_are_refused_with_what_there_is(flag: str) -> None:
    """An unknown name ends with status 2 and the known ones."""
    done = run(flag, "__import__('os')")
    assert done.returncode == 2
    assert "unknown" in done.stderr
    known = {"--case": "update", "--only": "axes", "--variant": "exact", "--isa": "scalar"}[flag]
    assert known in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--shape", "3"),
        ("--shape", "0x4"),
        ("--shape", "999999999x999999999"),
        ("--json", "no/such/folder/a.json"),
        ("--cpu-time", "--threads", "2"),
        ("--case", "update", "--isa", fs.isas()[0]),
    ],
)
def test_requests_that_cannot_be_met_end_with_2(arguments: tuple[str, ...]) -> None:
    """A request without meaning is refused in words."""
    if arguments[-1] in {k.isa for k in cpu_kernels() if k.op == "update"}:
        pytest.skip("the best ISA of this CPU is one that runs the update")
    done = run("--quick", *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_update_promises_its_columns(tmp_path: Path) -> None:
    """Baselines first, speed and error in one row, in both dtypes."""
    found = result_of(tmp_path, "--case", "update", "--quick", "--variant", "exact")
    assert found["machine"]["cpu"]
    command = "python bench/run.py --case update --quick --variant exact"
    assert found["command"] == command
    assert [table["title"].split(":")[0] for table in found["tables"]] == ["float64", "float32"]
    for table in found["tables"]:
        names = column(table, "variant")
        assert names[:2] == ["two_exp", "one_exp"]
        assert "exact" in names[2:]
        for promised in (
            "ns/update",
            "x two_exp",
            "published ns",
            "scan ns/step",
            "mean abs error",
        ):
            assert promised in table["columns"]
        assert max(column(table, "scan: s rel error")) < 1e-5
    assert column(found["tables"][0], "published ns")[0] == 24.4


def test_every_variant_and_isa_appears(tmp_path: Path) -> None:
    """No row of the library's table is missing from the report."""
    found = result_of(
        tmp_path,
        "--quick",
        "--case",
        "rows",
        "--case",
        "update",
        "--case",
        "error",
        "--shape",
        "4x64",
    )
    for case, operation in (("rows", "online"), ("update", "update")):
        wanted = {(k.variant, k.isa) for k in cpu_kernels() if k.op == operation and k.available}
        shown = {
            pair
            for table in found["tables"]
            if table["case"] == case
            for pair in zip(column(table, "variant"), column(table, "ISA"), strict=True)
        }
        assert wanted <= shown
    ends = next(table for table in found["tables"] if table["case"] == "error")
    assert set(column(ends, "variant")) == set(fs.variants("scan"))


def test_error_parts_add_up(tmp_path: Path) -> None:
    """The parts of the raw error make up the whole; raw steps never rescale."""
    raw = [k.variant for k in cpu_kernels() if k.op == "scan" and k.rescale == "nothing"]
    found = result_of(
        tmp_path, "--quick", "--case", "error", "--variant", raw[0], "--shape", "8x512"
    )
    parts = next(t for t in found["tables"] if "missing rescales" in t["columns"])
    for row in parts["rows"]:
        *split, total = row[2:]
        assert sum(split) == pytest.approx(total, rel=1e-2, abs=1e-6)
    rises = next(t for t in found["tables"] if "slope in s" in t["columns"])
    assert column(rises, "slope in s") == pytest.approx([1.0] * len(rises["rows"]), rel=1e-6)


def test_peers_compare_with_the_default_variant(tmp_path: Path) -> None:
    """Whatever peers there are stand beside what `online` runs by default."""
    markdown = tmp_path / "peers.md"
    found = result_of(
        tmp_path, "--quick", "--case", "peers", "--shape", "4x64", "--markdown", str(markdown)
    )
    tables = {table["title"].split(",")[0]: table for table in found["tables"]}
    wanted = {
        "softmax",
        "softmax of everybody",
        "logsumexp",
        "logsumexp of everybody",
        "other axes",
        "topk 4x4096",
        "rows in the denormal window",
        "one call on 1x16 float32",
        "import beyond numpy",
    }
    if importlib.util.find_spec("torch"):
        wanted.add("half types")
    if len(os.sched_getaffinity(0)) > 1:
        wanted |= {"two threads", "small jobs"}
    assert set(tables) == wanted
    for name in wanted - {"softmax of everybody", "logsumexp of everybody"}:
        assert {"target", ""} <= set(tables[name]["columns"]), name
    assert column(tables["softmax"], "rows")[0] == "4x64"
    assert column(tables["softmax"], "ours")[0].startswith("exact/")
    everybody = tables["softmax of everybody"]["columns"]
    assert {"std::exp loop", "numpy", "copy"} <= set(everybody)
    assert column(tables["one call on 1x16 float32"], "target")[:2] == [600, 1000]
    assert markdown.read_text(encoding="utf-8").startswith("`python bench/run.py")


def test_a_member_of_a_group_runs_alone(tmp_path: Path) -> None:
    """Named by --only, without its group; in the order of the request."""
    found = result_of(tmp_path, "--quick", "--only", "import", "--only", "axes")
    titles = [table["title"].split(",")[0] for table in found["tables"]]
    assert titles == ["import beyond numpy", "other axes"]
    assert column(found["tables"][0], "ms")[0] > 0
    assert column(found["tables"][1], "target")[0] == 1.5


def test_topk_stands_beside_two_steps(tmp_path: Path) -> None:
    """Every kernel and every peer that is there; all find the same probabilities."""
    found = result_of(tmp_path, "--quick", "--case", "topk", "--shape", "3x60", "--shape", "2x20")
    kernels = [
        k.id for k in cpu_kernels() if k.op == "topk" and k.available and k.dtype != "float64"
    ]
    for table, counts in zip(found["tables"], ([5, 50], [5]), strict=True):
        who = column(table, "who")
        assert who[: len(kernels)] == kernels
        assert "numpy softmax, argpartition" in who
        assert sorted(set(column(table, "k"))) == counts
        assert max(column(table, "max rel error")) < 2e-6


def test_heinsen_shows_every_kernel_and_form(tmp_path: Path) -> None:
    """All kernels; all forms of a prefill and a step agree; what is kept doesn't grow."""
    found = result_of(tmp_path, "--quick", "--case", "heinsen", "--shape", "70x8")
    first, prefill, step, growth = found["tables"]
    ours = [k for k in fs.kernels() if k.op.startswith("heinsen") and k.available]
    assert set(column(first, "kernel")) == {k.id for k in ours if k.dtype == "float32"}
    assert set(column(first, "target")) == {None}
    for table, names in ((prefill, {"numpy, chunks of 64"}), (step, {"numpy", "State.step"})):
        assert names <= set(column(table, "who"))
        assert max(column(table, "max rel difference")) < 1e-5
    kept = zip(column(growth, "who"), column(growth, "kept KiB"), strict=True)
    assert len({size for who, size in kept if who == "heinsen"}) == 1


def test_int8_cases_show_every_kernel(tmp_path: Path) -> None:
    """Whatever peers there are stand beside ours, and each number of threads has its column."""
    found = result_of(
        tmp_path,
        *("--quick", "--case", "int8_peers", "--case", "int8_threads"),
        *("--shape", "64x64", "--threads", "2"),
    )
    wanted = {k.id for k in cpu_kernels() if k.op in ("hccs", "int8") and k.available}
    best = {i for i in wanted if not any(better(i, j) for j in wanted)}
    against, threads = found["tables"][0], found["tables"][-1]
    assert set(column(against, "kernel")) == set(column(threads, "kernel")) == best
    assert threads["columns"][-2:] == ["threads 1", "threads 2"]
    assert set(column(against, "target")) == {None}


def better(kernel: str, other: str) -> bool:
    """Tell whether another kernel is the same one on a better ISA."""
    (name, _, isa), (others, _, others_isa) = kernel.rpartition("/"), other.rpartition("/")
    return name == others and fs.isas().index(others_isa) < fs.isas().index(isa)


def test_int8_errors_on_real_logits(tmp_path: Path) -> None:
    """Every method, mode and granularity; tables keep their distance, HCCS sums to about 1."""
    found = result_of(tmp_path, "--quick", "--case", "int8_error")
    (table,) = found["tables"]
    methods = set(column(table, "method"))
    assert {f"hccs {name}" for name in fs.variants("hccs")} <= methods
    assert {f"table {name}" for name in fs.variants("int8")} <= methods
    assert set(column(table, "shared by")) == {None, "head", "layer", "global"}
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
    for row in rows:
        assert 0 < row["KL"] < 0.6
        assert row["total variation"] < 0.4
        assert 0 < row["order kept %"] <= 100
        if row["method"].startswith("table"):
            assert row["of the quantised"] < (0.07 if row["result"] == "uint8" else 0.02)
    finest = [row for row in rows if row["of the quantised"] == 0]
    assert [row["method"] for row in finest] == ["exact, int8 logits"]
