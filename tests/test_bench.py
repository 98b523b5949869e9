"""The benchmark runs, shows every row of the table and measures errors as it says. No timings."""

import importlib
import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import benched
import fastsoftmax as fs
import numpy as np
import pytest
from benched import BENCH, Load, column, result_of, run
from rows import cpu_kernels

bench = benched.bench


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


def test_order_kept_and_bfloat16_by_hand(bench: Load) -> None:
    """Pairs of equal weights, and ties to even."""
    case = bench("cases.int8_error")
    assert case.equal_pairs(np.array([[3, 1, 3, 3], [1, 2, 3, 4]])).tolist() == [3, 0]
    logits = np.array([[0.0, 1.0, 2.0, 2.0]])
    assert case.order_kept(np.array([[0, 0, 5, 5]]), logits) == pytest.approx(4 / 5)
    assert case.order_kept(np.array([[1, 2, 5, 5]]), logits) == 1
    values = np.array([1.0, 1 + 2**-8, 1 + 3 * 2**-8, -1.0078125, 0.0], np.float32)
    wanted = [1.0, 1.0, 1 + 2**-6, -1.0078125, 0.0]
    assert case.bfloat16(values).tolist() == wanted


def test_metrics_on_cases_computed_by_hand(bench: Load) -> None:
    """Divergence, variation, entropy and distance on two or three weights."""
    metrics = bench("lib.metrics")
    exact, weights = [0.5, 0.5], [0.75, 0.25]
    assert metrics.total_variation(weights, exact)[0] == pytest.approx(0.25)
    by_hand = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert metrics.kl(weights, exact)[0] == pytest.approx(by_hand)
    assert metrics.kl([1.0, 0.0], exact)[0] == pytest.approx(math.log(2))
    assert metrics.kl([1.5, -0.5], exact)[0] == math.inf
    assert metrics.kl([1.0, 1.0], exact)[0] == pytest.approx(2 * math.log(2) - 1)
    assert metrics.entropy([3.0, 3.0])[0] == pytest.approx(math.log(2))
    assert metrics.entropy([1.0, 0.0])[0] == 0.0
    assert metrics.relative_l2([3.0, 5.0], [3.0, 4.0])[0] == pytest.approx(0.2)
    compared = metrics.compare(
        [[0.9, 0.1, 0.0], [0.5, 0.5, 0.0]], [[0.8, 0.2, 1e-10], [0.5, 0.5, 0]]
    )
    assert compared.max_abs == pytest.approx(0.1)
    assert compared.max_rel == pytest.approx(0.5)
    assert compared.total_variation == pytest.approx(0.05)


def test_cancelling_and_split_on_rows_computed_by_hand(bench: Load) -> None:
    """One new maximum among three logits."""
    error_split, data_sets, exact_rows = (
        bench(f"lib.{name}") for name in ("error_split", "data_sets", "exact_rows")
    )
    logits = np.log(np.array([[1.0, 2.0, 1.0]])).astype(np.float32)
    rows = exact_rows.Rows.of(data_sets.Workload("three", (1, 3), lambda _: logits))
    assert rows.s[0] == pytest.approx(2.0)
    # without rescale 1, + 1 for the new maximum, + 1/2; with h = 0.6 throughout 1 + 0.6 + 0.6
    parts = error_split.split(rows, lambda d: np.full_like(d, 0.6), np.array([2.2]))
    assert parts.missing_rescales[0] == pytest.approx(0.5 / 2)
    assert parts.new_max[0] == pytest.approx(-0.4 / 2)
    assert parts.drift[0] == pytest.approx(0.1 / 2)
    assert parts.extrapolation[0] == 0
    assert parts.rounding[0] == pytest.approx(0.0, abs=1e-7)
    assert parts.total[0] == pytest.approx(0.1)
    found = error_split.cancelling(np.zeros((1, 2)), lambda d: d + np.array([[1.5, 0.75]]))
    assert found.absolute[0] == pytest.approx(0.75)
    assert found.signed[0] == pytest.approx(0.25)
    assert found.ratio[0] == pytest.approx(1 / 3)


def test_stream_follows_the_exact_update(bench: Load) -> None:
    """Each target is the state of the next tuple."""
    stream = bench("lib.data_sets").stream(500, "float64")
    assert stream.m[0] == 0
    assert stream.s[0] == 0
    assert stream.target[:-1] == pytest.approx(stream.s[1:], rel=1e-12)
    m = max(0.0, float(stream.x.max()))
    whole = np.exp(stream.x - m).sum()  # the start m = 0, s = 0 adds nothing
    assert stream.target[-1] == pytest.approx(whole, rel=1e-12)


def test_real_logits_are_4608_rows_of_128(bench: Load) -> None:
    """The stored logits have the shape that the reports name."""
    logits = bench("lib.data_sets").real_logits()
    assert logits.shape == (4608, 128)
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()


def test_interleave_times_every_candidate_on_all_inputs(bench: Load) -> None:
    """Fresh inputs come in turn."""
    met: dict[str, set[int]] = {"a": set(), "b": set()}
    calls = {name: seen.add for name, seen in met.items()}
    times = bench("lib.timing").interleave(calls, [1, 2, 3], rounds=3)
    assert met == {"a": {1, 2, 3}, "b": {1, 2, 3}}
    assert all(0 < t.minimum <= t.median for t in times.values())


def test_tables_in_every_form(bench: Load, tmp_path: Path) -> None:
    """Text, Markdown and JSON, with cells that are not numbers."""
    report = bench("lib.report")
    table = report.Table("two", ["name", "figure"], note="a note")
    table.add("first", 1234.5)
    table.add("none", None)
    table.add("endless", math.inf)
    assert "1.23e+03" in report.as_text(table)
    assert report.as_markdown(table).endswith("| none | - |\n| endless | inf |")
    report.write_json(tmp_path / "a.json", {"cpu": "x"}, "command", {"case": [table]})
    read = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert read["tables"][0]["rows"] == [["first", 1234.0], ["none", None], ["endless", "inf"]]
    with pytest.raises(ValueError, match="cells"):
        table.add("one cell too few")


def test_baselines_check_their_arguments(bench: Load) -> None:
    """Shapes, dtypes and names are refused before anything runs."""
    baselines = bench("lib.baselines")
    assert baselines.NAMES == ("two_exp", "one_exp")
    x = np.zeros(4)
    with pytest.raises(ValueError, match="two_exp, one_exp"):
        baselines.update("three_exp", x, x, x, x.copy(), 1)
    with pytest.raises(ValueError, match="same length"):
        baselines.update("two_exp", x, x, x[:2], x.copy(), 1)
    with pytest.raises(TypeError):
        baselines.update("two_exp", x, x, x.astype(np.float32), x.copy(), 1)
    with pytest.raises(ValueError, match="shape"):
        baselines.tie_softmax(np.zeros((2, 3)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="2 dimensions"):
        baselines.scan("two_exp", x, x.copy(), x.copy())
    with pytest.raises(ValueError, match="one element per row"):
        baselines.scan("two_exp", np.zeros((2, 3)), np.zeros(2), np.zeros(3))
    with pytest.raises(TypeError, match="contiguous"):
        baselines.update("two_exp", x, x[::2], x, x.copy(), 1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_baselines_compute_what_they_say(bench: Load, dtype: str) -> None:
    """Both forms of a step, the state of a row, and a softmax, against NumPy."""
    baselines = bench("lib.baselines")
    if reason := baselines.missing():
        pytest.skip(reason)
    rows = np.random.default_rng(0).normal(0, 3, (5, 40)).astype(dtype)
    wide, close = rows.astype(np.float64), 1e-5 if dtype == "float32" else 1e-13
    m, s, out = (np.empty(5, dtype) for _ in range(3))
    for name in baselines.NAMES:
        baselines.scan(name, rows, m, s)
        assert np.array_equal(m, rows.max(axis=1))
        assert s == pytest.approx(np.exp(wide - wide.max(axis=1)[:, None]).sum(axis=1), rel=close)
        x = np.ascontiguousarray(rows[:, 0]) + 2
        baselines.update(name, m, s, x, out, 3)
        top = np.maximum(m, x).astype(np.float64)
        assert out == pytest.approx(s * np.exp(m - top) + np.exp(x - top), rel=close)
    result = np.empty_like(rows)
    baselines.tie_softmax(rows, result)()
    assert result == pytest.approx(fs.reference.online(wide), rel=close)


def test_without_a_compiler_the_baselines_are_left_out(tmp_path: Path) -> None:
    """One line says so; every other column is there."""
    file = tmp_path / "result.json"
    environment = {"CXX": "no-such-compiler", "XDG_CACHE_HOME": str(tmp_path)}
    arguments = ["--quick", "--case", "update", "--case", "rows", "--variant", "exact"]
    arguments += ["--shape", "4x64"]
    brief = run(*arguments, environment=environment)
    assert "not here: std::exp loop (no C++ compiler ($CXX is" in brief.stdout
    assert "x" not in brief.stdout.splitlines()[3].split()
    done = run(*arguments, "--full", "--json", str(file), environment=environment)
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stderr.splitlines() if "no-such-compiler" in line]
    assert said == [
        "bench/run.py: no std::exp baselines: no C++ compiler ($CXX is 'no-such-compiler')"
    ]
    for table in json.loads(file.read_text(encoding="utf-8"))["tables"]:
        names = column(table, "variant")
        assert "exact" in names
        assert not {"two_exp", "std::exp loop"} & set(names)
        assert not {"x two_exp", "scan x two_exp", "x std::exp loop"} & set(table["columns"])


def test_a_source_is_compiled_once_and_by_nobody_twice_at_once(
    bench: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache has one library, whoever raced for it; another flag makes another one."""
    compiled, baselines = bench("lib.compiled"), bench("lib.baselines")
    if baselines.missing():
        pytest.skip("no C++ compiler")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    code = "import sys; sys.path.insert(0, sys.argv[1]); from lib import baselines; "
    code += "print(baselines.missing())"
    command = [sys.executable, "-c", code, str(BENCH)]
    racing = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate()[0].strip() for process in racing] == ["None"] * 3
    folder = tmp_path / "fastsoftmax" / "bench"
    (file,) = folder.iterdir()
    written = file.stat().st_mtime_ns
    compiled.library(baselines.SOURCE, baselines.BY_COMPILER)
    assert file.stat().st_mtime_ns == written
    other = {kind: [*flags, "-DOTHER"] for kind, flags in baselines.BY_COMPILER.items()}
    compiled.library(baselines.SOURCE, other)
    assert len(list(folder.iterdir())) == 2
    wrong = tmp_path / "wrong.cpp"
    wrong.write_text("int main( {\n")
    with pytest.raises(compiled.NotCompiled, match=r"can't compile wrong.cpp: .*error"):
        compiled.library(wrong, baselines.BY_COMPILER)
    assert len(list(folder.iterdir())) == 2
