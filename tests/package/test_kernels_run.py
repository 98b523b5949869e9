"""A run of all tests fails if it leaves a kernel out, on any number of processes."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cpu_kernels import cpu_kernels
from fresh import python
from kernels_run import files_with_kernels, why_partial
from repository import ROOT

TESTS = ROOT / "tests"
CONFTEST = TESTS / "conftest.py"
#: A run with every kernel, one without those of an operation, and one that takes no kernel.
EVERY = """
import fastsoftmax as fs
import pytest
from cpu_kernels import cpu_kernels

HERE = [k for k in cpu_kernels() if k.available if {condition}]

@pytest.mark.parametrize("kernel", HERE)
def test_all(kernel: fs.Kernel) -> None:  # online_kernel: fs.Kernel
    pass
"""
#: What takes long to build, and tests that all need it.
BUILT = """
import pytest

@pytest.fixture(scope="module")
def built() -> None:
    with open("{folder}/built", "a") as file:
        file.write("once ")

@pytest.mark.parametrize("number", range(40))
def test_it(built: None, number: int) -> None:
    pass
"""
NONE = "def test_nothing() -> None:\n    pass\n"
INI = """[pytest]
pythonpath = {paths}
addopts = {options}
filterwarnings = error
markers = slow: takes long
"""
COUNT = sum(kernel.available for kernel in cpu_kernels())


def run(folder: Path, condition: str, *arguments: str, options: str = "") -> tuple[int, str]:
    """Run two files of tests under the conftest of this suite; return status and last line."""
    (folder / "inner").mkdir(exist_ok=True)
    shutil.copy(CONFTEST, folder / "conftest.py")
    for name, text in (("a", EVERY.format(condition=condition)), ("b", NONE)):
        (folder / "inner" / f"test_{name}.py").write_text(text)
    text = INI.format(paths=TESTS / "support", options=options)
    (folder / "pytest.ini").write_text(text)
    given = [argument.format(folder=folder) for argument in arguments]
    result = python(
        "-m", "pytest", "-p", "no:hypothesispytest", "-p", "no:cacheprovider", *given, str(folder)
    )
    said = [line for line in result.stdout.splitlines() if "kernels" in line]
    print(result.stdout, result.stderr)
    return result.returncode, "\n".join(said)


@pytest.mark.parametrize("processes", [("-n", "0"), ("-n", "2", "--dist", "load")])
def test_all_rows(tmp_path: Path, processes: tuple[str, ...]) -> None:
    """They are added up over the processes; an operation that is left out fails the run."""
    pytest.importorskip("xdist")
    assert run(tmp_path, "True", *processes) == (
        0,
        f"{COUNT} of {COUNT} kernels ran",
    )
    status, said = run(tmp_path, "k.op != 'topk'", *processes)
    assert status == 1
    left = sum(kernel.available and kernel.op == "topk" for kernel in cpu_kernels())
    assert said.startswith(f"{COUNT - left} of {COUNT} kernels ran, but not topk/")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("-p", "no:xdist", "-k", "nothing"), "selected by keyword"),
        (("--ignore={folder}/inner/test_a.py",), "not asked for: inner/test_a.py"),
    ],
)
def test_a_part_says_so(tmp_path: Path, arguments: tuple[str, ...], why: str) -> None:
    """Whoever asks for some tests isn't failed for the others, on one process or several."""
    status, said = run(tmp_path, "False", *arguments)
    assert status == 0
    assert said.startswith("kernels aren't counted: ")
    assert why in said


def test_a_file_stays_in_one_process(tmp_path: Path) -> None:
    """What its tests share is built once."""
    pytest.importorskip("xdist")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "test_c.py").write_text(BUILT.format(folder=tmp_path))
    status, _ = run(tmp_path, "True", "-n", "2")
    assert status == 0
    assert (tmp_path / "built").read_text() == "once "


BY_DEFAULT = ["-q", "-m", "not slow"]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, ""),
        ({"markexpr": ""}, "tests were selected by mark"),
        ({"markexpr": "slow"}, "tests were selected by mark"),
        ({"keyword": "edges"}, "tests were selected by keyword"),
        ({"lf": True}, "tests were selected by their last failure"),
        ({"deselect": ["tests/test_a.py"]}, "tests were deselected by name"),
        ({"collectonly": True}, "tests were collected only"),
        ({"args": ["tests/test_a.py::test"]}, "single tests were named"),
        ({"args": ["tests/test_a.py"]}, ""),
    ],
)
def test_why_a_run_is_a_part(tmp_path: Path, given: dict[str, Any], why: str) -> None:
    """Marks that pyproject.toml leaves out by default make no part of a run."""
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "test_a.py").write_text("def test(x_kernel: fs.Kernel): ...")
    options = SimpleNamespace(**{"markexpr": "not slow"} | given)
    args = given.get("args", ["tests"])
    config: Any = SimpleNamespace(option=options, args=args, getini=lambda name: BY_DEFAULT)
    assert why_partial(config, {"inner/test_a.py"}, tmp_path) == why
    if not why:
        assert why_partial(config, set(), tmp_path) == "not asked for: inner/test_a.py"


def test_marks_that_are_left_out_by_default(tmp_path: Path) -> None:
    """The kernels of such a run count."""
    status, said = run(tmp_path, "k.op != 'topk'", options="-m 'not slow'")
    assert status == 1
    assert "ran, but not topk/" in said


def test_nothing_to_count(tmp_path: Path) -> None:
    """A folder without tests of kernels is a mistake of the suite, and no run that passes."""
    with pytest.raises(pytest.UsageError, match="takes a kernel of the registry"):
        files_with_kernels(tmp_path)
