"""The kernels of the registry as test parameters, and how tests are spread over the CPU's cores.

A test that takes `online_kernel` runs for every kernel of that operation, one that takes
`monotone_online_kernel` for those of them that the filter lets through; filters may be chained.
Kernels that this CPU can't run are skipped and say so.

With pytest-xdist a process for each core takes a file of tests at a time, those that build most
first. `pytest -n 0` and single tests run in one process.
"""

import os
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import fastsoftmax as fs
import pytest
from cpu_kernels import cpu_kernels
from hostcuda_binding import hostcuda
from kernels_run import KernelsRun
from references import is_plain

__all__ = ["hostcuda"]  # a fixture of several folders

OPERATIONS = {k.op for k in cpu_kernels()}
NORMALIZED = {(k.variant, k.dtype) for k in cpu_kernels() if k.op == "normalizer"}
FILTERS: dict[str, Callable[[fs.Kernel], bool]] = {
    "exact": lambda k: k.variant == "exact",
    "float32": lambda k: k.dtype == "float32",
    "monotone": lambda k: k.monotone,
    "generated": lambda k: k.form != "exp",
    "raw": lambda k: k.rescale == "nothing",
    "guarded": lambda k: k.rescale != "nothing",
    "paired": lambda k: (k.variant, k.dtype) in NORMALIZED,
    "plain": is_plain,
}
#: More processes than these would take more memory than time.
MOST_WORKERS = 8
HOSTCUDA = hostcuda.__name__
#: Groups of tests that compile for a minute or more.
BUILDERS = {HOSTCUDA, "generator/test_new_surrogate", "generator/test_export"}


def kernels_of(fixture: str) -> list[fs.Kernel]:
    """Kernels that the name of a fixture stands for."""
    name = fixture.removesuffix("_kernel")
    op = max((op for op in OPERATIONS if f"_{name}".endswith(f"_{op}")), key=len, default="")
    filters = name.removesuffix(op).split("_")[:-1]
    found = [k for k in cpu_kernels() if k.op == op and all(FILTERS[f](k) for f in filters)]
    if not found:
        raise pytest.UsageError(f"the registry has no kernel for {fixture}")
    return found


def parameter(kernel: fs.Kernel) -> object:
    """One kernel as a parameter, skipped with its reason where it can't run."""
    reason = f"this CPU can't run {kernel.isa}"
    marks = () if kernel.available else (pytest.mark.skip(reason=reason),)
    return pytest.param(kernel, id=f"{kernel.id}/{kernel.dtype}", marks=marks)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give every kernel of an operation to the tests that ask for it."""
    for fixture in metafunc.fixturenames:
        if fixture.endswith("_kernel"):
            metafunc.parametrize(fixture, [parameter(kernel) for kernel in kernels_of(fixture)])


def pytest_configure(config: pytest.Config) -> None:
    """Count the kernels that run."""
    config.pluginmanager.register(KernelsRun(config, Path(__file__).parent), "kernels_run")


def is_small(config: pytest.Config) -> bool:
    """Whether a debugger or a reader watches, or one file or some single tests were named."""
    options, named = config.option, config.args
    watched = options.usepdb or options.capture == "no" or options.collectonly
    return watched or any("::" in name for name in named) or Path(named[0]).is_file()


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Use all cores unless told otherwise, and where it pays."""
    options = config.option
    if hasattr(config, "workerinput") or not config.pluginmanager.hasplugin("xdist"):
        return
    if options.numprocesses is None and not is_small(config):
        has_mask = hasattr(os, "sched_getaffinity")
        cores = len(os.sched_getaffinity(0)) if has_mask else os.cpu_count() or 1
        options.numprocesses = min(cores, MOST_WORKERS)
    if options.dist == "no":
        options.dist, options.loadscopereorder = "loadfile", False


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give a process a group of tests at a time."""
    if config.option.dist != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    scheduler = LoadFileScheduling(config, log)
    scheduler._split_scope = lambda name: group_of(config.rootpath / name.split("::")[0])
    return scheduler


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with what is built: it takes longest."""
    items.sort(key=lambda item: group_of(item.path) not in BUILDERS)


@cache
def group_of(file: Path) -> str:
    """Give the name of what runs in one process: a file, or all that compiles CUDA's kernels."""
    if re.search(r"\bhostcuda(: |_build\b)", file.read_text(encoding="utf-8")):
        return HOSTCUDA
    return f"{file.parent.name}/{file.stem}"
