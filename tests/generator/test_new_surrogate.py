"""One entry in surrogates.toml and a reinstall are all that a new variant takes; on a copy."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import fastsoftmax as fs
import numpy as np
import pytest
from cpu_kernels import cpu_kernels
from cuda_lists import cuda_variants
from entries import RAW, entry_of
from generator_run import SHIPPED_TEXT, brief_surrogates
from repository import ROOT

NEEDED = (
    "pyproject.toml",
    "CMakeLists.txt",
    "README.md",
    "LICENSE",
    "cpp",
    "cuda",  # by name: a folder
    "python",
    "bench",
    "tests",
)
NAME = "limit8"
BOUND = 0.0354
ENTRY = f"""
[surrogates.{NAME}]
expression = "1.0 + 0.125 * d"
form = "h(d)"
squarings = 3
domain = [-8.0, 0.0]
value_at_zero = 1.0
tail = 0.0
monotone = true
rescale = "h"
raw = false
origin = "(1 + d/8)^8, after the limit that defines exp"
measured_error = {BOUND}
operations = 7
"""
SHOW = f"""
import json, numpy as np, fastsoftmax as fs
x = np.random.default_rng(0).normal(0, 3, (20, 300)).astype(np.float32)
d = (x - x.max(axis=-1, keepdims=True)).astype(float)
h = np.maximum(1 + d / 8, 0) ** 8
print(json.dumps({{
    "file": fs.__file__,
    "variants": fs.variants(),
    "compiled": fs.isas("online", all=True),
    "rows": [(k.op, k.isa, k.bound) for k in fs.kernels()
             if (k.variant, k.device) == ("{NAME}", "cpu")],
    "off": {{isa: float(np.abs(fs.online(x, "{NAME}", isa=isa) / (h / h.sum(-1, keepdims=True))
                   - 1)[h > 1e-3].max()) for isa in fs.isas("online")}},
    "order": fs.scan(x, "{NAME}")[1].shape,
}}))
"""


def installable() -> str:
    """Why nothing can be built here, or an empty string."""
    for module in ("pip", "scikit_build_core", "nanobind"):
        if importlib.util.find_spec(module) is None:
            return f"{module} isn't installed: pip install '.[test]'"
    if np.lib.NumpyVersion(np.__version__) < "2.0.0":
        return "NumPy 2 isn't installed, which building takes"
    if shutil.which("cmake") is None and importlib.util.find_spec("cmake") is None:
        return "there is no cmake"
    absent = [name for name in NEEDED if not (ROOT / name).exists()]
    return f"not a checkout: {', '.join(absent)}" if absent else ""


@pytest.fixture(scope="module", autouse=True)
def _needs_a_build() -> None:
    reason = installable()
    if reason:
        pytest.skip(reason)


def shipped_text() -> str:
    """Give what the entry is added to: a surrogate of each form, which builds sooner than all."""
    return SHIPPED_TEXT if "FASTSOFTMAX_TEST_FULL" in os.environ else brief_surrogates()


def copy_with(folder: Path, entry: str) -> Path:
    """Copy the sources, one entry appended."""
    ignored = shutil.ignore_patterns("build", "__pycache__", "*.so", ".*", "results")
    for name in NEEDED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            folder.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    shipped = folder / "cpp" / "surrogates" / "surrogates.toml"
    shipped.write_text(shipped_text() + entry, encoding="utf-8")
    return folder


def install(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """Install a copy into a folder of its own, with the tools that are here."""
    options = ["--no-build-isolation", "--no-deps", "--disable-pip-version-check"]
    # -O1 builds in half the time; the arithmetic is the same
    quick = "-Ccmake.define.FASTSOFTMAX_ISA_OPTIMIZATION=-O1"
    cpu = "-Ccmake.define.FASTSOFTMAX_CUDA=OFF"
    return subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, quick, cpu, "--target", target, source],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Give the copy with the new entry, and where it was installed."""
    folder = tmp_path_factory.mktemp("new_surrogate")
    source, target = copy_with(folder / "source", ENTRY), folder / "installed"
    result = install(source, target)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return source, target


def python(copy: tuple[Path, Path], *arguments: str) -> str:
    """Run this interpreter with the installed copy in front of everything.

    -S keeps the hook of an editable install out, which would come first.
    """
    source, target = copy
    libraries = Path(np.__file__).parents[1]
    path = os.pathsep.join([str(target), str(libraries)])
    result = subprocess.run(
        [sys.executable, "-S", *arguments],
        cwd=source,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return result.stdout


def test_it_is_in_python(copy: tuple[Path, Path]) -> None:
    """A name, a row for every ISA and operation, and a softmax that is that of its text."""
    told = json.loads(python(copy, "-c", SHOW))
    assert Path(told["file"]).is_relative_to(copy[1])
    entries = tomllib.loads(shipped_text())["surrogates"]
    before = [v for v in fs.variants() if not entry_of(v) or v.removesuffix(RAW) in entries]
    assert told["variants"] == [*before, NAME]
    known = {(k.op, k.isa) for k in cpu_kernels() if k.variant == fs.variants()[-1]}
    assert {(op, isa) for op, isa, _ in told["rows"]} == known
    assert {isa for op, isa in known if op == "online"} == set(told["compiled"])
    assert {bound for _, _, bound in told["rows"]} == {BOUND}
    assert set(told["off"]) == set(fs.isas("online"))
    assert max(told["off"].values()) < 2e-5


def test_it_is_on_cuda(copy: tuple[Path, Path]) -> None:
    """In the lists of rows and of `scan`, as nvcc would see them."""
    source, _ = copy
    (generated,) = source.glob("build/*/cpp/generated")
    for names in cuda_variants(source, generated).values():
        assert f"variant::generated<surrogate::{NAME}>" in names


def test_it_is_in_the_bench(copy: tuple[Path, Path]) -> None:
    """`bench/run.py --list` shows it."""
    assert NAME in python(copy, "bench/run.py", "--list").split()


def test_it_is_in_the_tests(copy: tuple[Path, Path]) -> None:
    """The tests of the copy run for it, unchanged, and hold it to its bound."""
    files = [f"tests/softmax/test_{name}.py" for name in ("variants", "scan", "edges")]
    told = python(copy, "-m", "pytest", *files, "-k", NAME, "-p", "no:cacheprovider")
    passed = re.search(r"(\d+) passed", told)
    assert passed is not None
    assert int(passed[1]) >= 10 * len(fs.isas("online"))
    assert "failed" not in told


def test_another_project_can_use_it(copy: tuple[Path, Path], tmp_path: Path) -> None:
    """`find_package` finds the C++ package of that build, as tests/consumer does with pybind11."""
    if importlib.util.find_spec("pybind11") is None:
        pytest.skip("pybind11 isn't installed: pip install '.[test]'")
    source, _ = copy
    (cache,) = source.glob("build/*/CMakeCache.txt")
    known = dict(re.findall(r"^(\w+):\w+=(.*)$", cache.read_text(), re.MULTILINE))
    script = {
        "PYTHON": sys.executable,
        "GENERATOR": known["CMAKE_GENERATOR"],
        "COMPILER": known["CMAKE_CXX_COMPILER"],
        "BUILD": cache.parent,
        "SOURCE": source / "tests" / "consumer",
        "WORK": tmp_path,
    }
    given = [f"-D{name}={value}" for name, value in script.items()]
    done = subprocess.run(
        [known["CMAKE_COMMAND"], *given, "-P", source / "tests" / "cpp" / "consumer.cmake"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "softmax, kernels and an error as expected" in done.stdout


def test_malformed_entry_stops_the_build(tmp_path: Path) -> None:
    """With file, entry and reason, and nothing is installed."""
    spoilt = ENTRY.replace("0.125 * d", "0.125 * d / 1.0")
    assert spoilt != ENTRY
    result = install(copy_with(tmp_path / "source", spoilt), tmp_path / "installed")
    assert result.returncode != 0
    told = result.stdout + result.stderr
    line = next(line for line in told.splitlines() if NAME in line and "surrogates.toml" in line)
    assert re.search(rf"surrogates\.toml: entry '{NAME}': .*is not allowed", line), line
    assert not list(tmp_path.glob("installed/fastsoftmax/*"))
