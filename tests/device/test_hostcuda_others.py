"""CUDA kernels other than rows of floats, on the CPU: each against its formula, in any schedule.

See tests/hostcuda/hostcuda.hpp. None of this needs a GPU, or CUDA's compiler.
"""

import pytest
from hostcuda_build import CLANG, before_a_release, program, run

#: Programs: their sources, and the sanitizers that say something new about them. All int8 kernels
#: reach memory by the same code, which is slow to compile for many modes.
PROGRAMS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "hccs": (("cuda/int8/hccs.cu", "tests/hostcuda/hccs.cpp"), ()),
    "exp_table": (("cuda/int8/exp_table.cu", "tests/hostcuda/exp_table.cpp"), ("asan", "tsan")),
    "heinsen": (("cuda/heinsen/launch.cu", "tests/hostcuda/heinsen.cpp"), ("asan", "tsan")),
    "heinsen_log": (("cuda/heinsen/launch.cu", "tests/hostcuda/heinsen_log.cpp"), ("asan", "tsan")),
    "packed": (("tests/hostcuda/packed.cpp",), ()),
    "scan": (("cuda/scan/launch.cu", "tests/hostcuda/scan.cpp"), ("asan",)),
    "topk": (("cuda/topk/launch.cu", "tests/hostcuda/topk.cpp"), ("asan", "tsan")),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_program(name: str) -> None:
    """Every kernel of the launcher, at sizes around those where its class changes."""
    result = run(program(name, PROGRAMS[name][0], "plain"))
    assert result.returncode == 0, result.stdout[:4000]


@before_a_release
@pytest.mark.parametrize(
    ("name", "build"), [(name, build) for name in PROGRAMS for build in PROGRAMS[name][1]]
)
def test_program_under_sanitizers(name: str, build: str) -> None:
    """No overrun, no misaligned vector, no race."""
    result = run(program(name, PROGRAMS[name][0], build), "brief")
    assert result.returncode == 0, result.stdout[:4000]


@before_a_release
@pytest.mark.parametrize("name", ["exp_table", "heinsen", "heinsen_log", "topk"])
def test_program_by_clang(name: str) -> None:
    """The same sources mean the same to another compiler."""
    result = run(program(name, PROGRAMS[name][0], CLANG), "brief")
    assert result.returncode == 0, result.stdout[:4000]
