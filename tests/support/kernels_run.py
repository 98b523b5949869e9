"""The count of the registry's kernels that tests really ran with, over all workers of a run.

A run of all tests fails if it leaves out a kernel that this CPU has: one that tested nothing would
otherwise pass. A run of some tests says that the kernels aren't counted, and why.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastsoftmax as fs
import pytest
from cpu_kernels import cpu_kernels

#: What the options of pytest are called by which a part of the tests is asked for.
PARTIAL = {
    "keyword": "tests were selected by keyword",
    "lf": "tests were selected by their last failure",
    "stepwise": "tests were selected by their last failure",
    "deselect": "tests were deselected by name",
    "collectonly": "tests were collected only",
}

#: Of the kernels that no test ran, so many are named.
NAMED = 20


def name_of(kernel: fs.Kernel) -> str:
    """Name one kernel."""
    return f"{kernel.id} {kernel.dtype}"


def marks_by_default(config: pytest.Config) -> str:
    """Give the selection by marks that pyproject.toml makes: whoever asks for no other has all."""
    options = config.getini("addopts")
    return options[options.index("-m") + 1] if "-m" in options else ""


def files_with_kernels(folder: Path) -> set[str]:
    """Paths, from the folder, of the files whose tests run for every kernel."""
    files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("test_*.py")}
    found = {name for name, p in files.items() if "_kernel: fs.Kernel" in p.read_text()}
    if not found:
        raise pytest.UsageError(f"no test in {folder} takes a kernel of the registry")
    return found


def why_partial(config: pytest.Config, files: set[str], folder: Path) -> str:
    """Tell why the tests that were collected are a part of all; empty if they are all."""
    told = next((text for name, text in PARTIAL.items() if getattr(config.option, name, None)), "")
    missing = files_with_kernels(folder) - files
    if told:
        return told
    if config.option.markexpr != marks_by_default(config):
        return "tests were selected by mark"
    if any("::" in argument for argument in config.args):
        return "single tests were named"
    return f"not asked for: {', '.join(sorted(missing))}" if missing else ""


class KernelsRun:
    """Plugin of pytest: collects the kernels in each worker, and judges them in the end.

    Parameters
    ----------
    config : pytest.Config
        Of a worker, of the process that leads workers, or of the only one.
    folder : Path
        Where the tests lie.
    """

    def __init__(self, config: pytest.Config, folder: Path) -> None:
        self.config, self.folder = config, folder
        self.kernels: set[str] = set()
        self.partial: str | None = None  # None: nobody has collected tests
        self.said = ""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        """Note the kernel when the body of a test is entered; a skipped test never gets here."""
        callspec = getattr(item, "callspec", None)
        if callspec is not None:
            values = callspec.params.values()
            self.kernels |= {name_of(v) for v in values if isinstance(v, fs.Kernel)}
        return (yield)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Note whether only a part of the tests was asked for."""
        files = {
            item.path.relative_to(self.folder).as_posix()
            for item in items
            if item.path.is_relative_to(self.folder)
        }
        self.partial = why_partial(self.config, files, self.folder)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Add what a worker has run; one that crashed has run nothing."""
        told = getattr(node, "workeroutput", {})
        self.kernels |= set(told.get("kernels", ()))
        self.partial = told.get("partial", self.partial)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand the kernels on, or fail the run if some are missing."""
        if hasattr(self.config, "workeroutput"):
            self.config.workeroutput |= {"kernels": sorted(self.kernels), "partial": self.partial}
            return
        if self.partial is None or session.exitstatus not in (
            pytest.ExitCode.OK,
            pytest.ExitCode.TESTS_FAILED,
        ):
            return
        if self.partial:
            self.said = f"kernels aren't counted: {self.partial}"
            return
        available = {name_of(k) for k in cpu_kernels() if k.available}
        missing = sorted(available - self.kernels)
        self.said = f"{len(available) - len(missing)} of {len(available)} kernels ran"
        if missing:
            more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
            self.said += f", but not {', '.join(missing[:NAMED])}{more}"
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say how many kernels ran."""
        if self.said:
            terminalreporter.write_line(self.said)
