"""The extension module for CUDA over kernels that the host's compiler built, and its fixture."""

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import cuda_arrays
import pytest
from fastsoftmax._device import registry
from hostcuda_build import HOSTCUDA, KERNELS, compile_all, compiler, folder, generated


def build(folder: Path) -> Any:
    """Compile the module and import it."""
    if not all(map(shutil.which, ("cmake", "ninja"))):
        pytest.skip("no CMake or Ninja here")
    if not KERNELS.is_dir():
        pytest.skip("not a checkout")
    nanobind = pytest.importorskip("nanobind")
    source = HOSTCUDA / "binding"
    # every launcher, but for the one that asks the runtime for devices
    launchers = sorted(set(KERNELS.rglob("*.cu")) - {KERNELS / "device" / "device.cu"})
    assert launchers, f"no .cu file lies in {KERNELS}"
    kernels = compile_all([HOSTCUDA / "hostcuda.cpp", *launchers], "plain")
    settings = {
        "KERNELS": ";".join(map(str, kernels)),
        "GENERATED": str(generated("plain")),
        "Python_EXECUTABLE": sys.executable,
        "nanobind_DIR": nanobind.cmake_dir(),
        "CMAKE_CXX_COMPILER": compiler("plain")[-1],
        "CMAKE_BUILD_TYPE": "Release",
        "CMAKE_CXX_FLAGS_RELEASE": "-O1",  # builds in half the time
    }
    commands = (
        ["-S", str(source), "-B", str(folder), "-G", "Ninja"]
        + [f"-D{key}={value}" for key, value in settings.items()],
        ["--build", str(folder)],
    )
    for command in commands:
        done = subprocess.run(["cmake", *command], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    (library,) = folder.glob("_cuda*.so")
    spec = importlib.util.spec_from_file_location("_cuda", library)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def extension() -> Any:
    """Build the binding once a session."""
    return build(folder() / "binding")


@pytest.fixture
def hostcuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Let the package use that module; in the end no capsule may still be held."""
    module = extension()
    monkeypatch.setattr(registry, "built", lambda: module)
    registry.usable.cache_clear()
    yield module
    registry.usable.cache_clear()
    assert not cuda_arrays.held
