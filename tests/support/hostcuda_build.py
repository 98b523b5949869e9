"""Builds the programs of tests/hostcuda: CUDA kernels compiled by the host's compiler.

A program is built once a session for each kind of build: plain, or with a sanitizer. The scheduler,
hostcuda.cpp, is never sanitized.
"""

import atexit
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import fastsoftmax as fs
import pytest
from generator_run import SHIPPED_TEXT, brief_surrogates, generate
from repository import ROOT

HOSTCUDA = ROOT / "tests" / "hostcuda"
KERNELS = ROOT / "cuda"  # by name: a folder

#: Kinds of builds and their flags.
BUILDS = {
    "plain": ["-O1", "-fPIC"],  # for an extension module, too
    "asan": ["-O1", "-g1", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"],
    "tsan": ["-O1", "-g1", "-fsanitize=thread"],
}
#: As "plain" by the other compiler, where there is one.
CLANG = "clang"
OPTIONS = {**BUILDS, CLANG: BUILDS["plain"]}


#: Of the builds that take minutes for all kernels; planted.cpp shows with each that it finds bugs.
before_a_release = pytest.mark.skipif(
    "FASTSOFTMAX_TEST_FULL" not in os.environ,
    reason="takes minutes: .ci/run --full sets FASTSOFTMAX_TEST_FULL",
)


def launchers(operation: str) -> tuple[str, ...]:
    """List the launchers of an operation, as paths from the root of the repository."""
    found = sorted((KERNELS / operation).glob("*.cu"))
    assert found, f"no launcher in {KERNELS / operation}"
    return tuple(str(path.relative_to(ROOT)) for path in found)


@cache
def folder() -> Path:
    """Make the folder of everything that is built, for as long as the tests run."""
    made = tempfile.mkdtemp(prefix="hostcuda-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return Path(made)


@cache
def compiler(build: str) -> list[str]:
    """Find the C++ compiler of a build, as a command; skip the test where there is none."""
    clang = ("clang++", "clang++-14")
    named = os.environ.get("CXX", "")
    for name in clang if build == CLANG else (named, "g++", *clang):
        if name and shutil.which(name):
            launcher = os.environ.get("CMAKE_CXX_COMPILER_LAUNCHER")
            return [launcher, name] if launcher else [name]
    pytest.skip("no Clang here" if build == CLANG else "no C++ compiler here")


@cache
def generated(build: str) -> Path:
    """Make the folder of generated surrogates: all, or for sanitizers one of each form.

    What they access doesn't hang on the variant, and compiling takes a second for each.
    """
    place = folder() / f"surrogates-{build}"
    if not place.exists():
        place.mkdir()
        text = SHIPPED_TEXT if build == "plain" else brief_surrogates()
        result = generate(text, place)
        assert result.returncode == 0, result.stderr
    return place / "out"


@cache
def flags(build: str) -> list[str]:
    """Give the flags of every file. The host fuses multiply and add where it can, as a device."""
    include = [
        f"-I{path}"
        for path in (ROOT, ROOT / "cpp", ROOT / "cpp/include", HOSTCUDA, generated(build))
    ]
    toolkit = Path(os.environ.get("CUDA_HOME", "/usr/local/cuda")) / "include"
    if (toolkit / "vector_types.h").exists():
        include += ["-isystem", str(toolkit)]
    has_fma = "scalar_fma" in fs.isas()  # by name: the host's flag
    fused = ["-mfma"] if os.uname().machine == "x86_64" and has_fma else []
    numerics = ["-ffp-contract=off", *fused]
    return [
        "-std=c++20",
        *numerics,
        "-Wall",
        "-Wextra",
        "-Werror",
        "-Wno-unknown-pragmas",
        *include,
    ]


@cache
def sanitizer_runs(build: str) -> bool:
    """See whether programs can be linked with the build's sanitizer, and start."""
    source = folder() / f"empty-{build}.cpp"
    source.write_text("int main() {}\n")
    program = source.with_suffix("")
    command = [*compiler(build), *OPTIONS[build], str(source), "-o", str(program)]
    return (
        subprocess.run(command, capture_output=True, check=False).returncode == 0
        and subprocess.run([program], capture_output=True, check=False).returncode == 0
    )


def compile_one(source: Path, build: str) -> Path:
    """Compile a source file."""
    place = folder() / build
    place.mkdir(exist_ok=True)
    result = place / f"{source.parent.name}-{source.name}.o"
    if result.exists():
        return result
    options = OPTIONS["plain" if source.name == "hostcuda.cpp" else build]
    command = [
        *compiler(build),
        *flags(build),
        *options,
        "-x",
        "c++",
        "-c",
        str(source),
        "-o",
        str(result),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{source.name} doesn't compile:\n{done.stderr[:4000]}"
    return result


def compile_all(sources: Sequence[Path], build: str) -> list[Path]:
    """Compile source files on all cores."""
    flags(build)  # before threads ask for it, which the cache would all let through
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return list(pool.map(lambda source: compile_one(source, build), sources))


@cache
def program(name: str, sources: Sequence[str], build: str) -> Path:
    """Build a program of `sources`, paths from the root of the repository."""
    if not sanitizer_runs(build):
        pytest.skip(f"programs with {' '.join(OPTIONS[build])} don't run here")
    objects = compile_all(
        [HOSTCUDA / "hostcuda.cpp", *(ROOT / source for source in sources)], build
    )
    result = folder() / build / name
    command = [*compiler(build), *OPTIONS[build], *map(str, objects), "-o", str(result)]
    subprocess.run(command, check=True)
    return result


def run(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program; its output and errors are one text."""
    return subprocess.run(
        [path, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=600,
    )
