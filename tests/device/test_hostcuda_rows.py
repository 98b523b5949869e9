"""CUDA kernels on the CPU: what must be found is found, and the kernels themselves are right.

See tests/hostcuda/hostcuda.hpp. None of this needs a GPU, or CUDA's compiler.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hostcuda_build import BUILDS, CLANG, before_a_release, launchers, program, run

ROWS = (*launchers("rows"), "tests/hostcuda/rows.cpp")
PLANTED = ("tests/hostcuda/planted.cpp",)


def planted_bugs(build: str) -> list[tuple[str, str]]:
    """Names of the planted bugs that a build finds, and what it says of them."""
    lines = run(program("planted", PLANTED, "plain"), "list").stdout.splitlines()
    bugs = [line.split(" ", 2) for line in lines]
    return [(name, says) for name, found_by, says in bugs if found_by == build]


@pytest.mark.parametrize("build", [*BUILDS, CLANG])
def test_planted_bugs_are_found(build: str) -> None:
    """Barriers, masks, overruns, races and what else is planted in planted.cpp."""
    planted = program("planted", PLANTED, build)
    bugs = planted_bugs("plain" if build == CLANG else build)
    assert len(bugs) >= 3
    for name, says in bugs:
        result = run(planted, name)
        assert result.returncode != 0, f"{name} wasn't found"
        assert says in result.stdout, f"{name}: {result.stdout[:2000]}"


@pytest.mark.parametrize("build", [*BUILDS, CLANG])
def test_kernels_without_the_bugs_are_silent(build: str) -> None:
    """The very kernels, fixed, in every build and schedule."""
    result = run(program("planted", PLANTED, build), "fixed")
    assert (result.returncode, result.stdout) == (0, ""), result.stdout[:2000]


def assert_all_pass(path: Path, *calls: tuple[str, ...]) -> None:
    """Run a program with each of several arguments, side by side."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for result in pool.map(lambda arguments: run(path, *arguments), calls):
            assert result.returncode == 0, result.stdout[:4000]


def test_rows() -> None:
    """Every variant and type of elements, option and edge, in three schedules, against float64."""
    assert_all_pass(program("rows", ROWS, "plain"), ("options",), ("edges",), ("sizes",))


@before_a_release
@pytest.mark.parametrize("build", [build for build in BUILDS if build != "plain"])
def test_rows_under_sanitizers(build: str) -> None:
    """No overrun, no misaligned vector, no race."""
    parts = [(part, "brief") for part in ("options", "edges", "sizes")]
    assert_all_pass(program("rows", ROWS, build), *parts)
