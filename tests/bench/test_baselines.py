"""The std::exp loops that the benchmark compiles at their first use."""

import json
import subprocess
import sys
from pathlib import Path

import fastsoftmax as fs
import numpy as np
import pytest
from benched import Load, column, run
from repository import BENCH


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
    (absent,) = (line for line in brief.stdout.splitlines() if line.startswith("not here: "))
    assert "std::exp loop (no C++ compiler ($CXX is" in absent
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
    if reason := baselines.missing():
        pytest.skip(reason)
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
