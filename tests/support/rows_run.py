"""The count of the registry's rows that tests really ran with, over all workers of a run.

A run of all tests fails if it leaves out a row that this CPU has: one that tested nothing would
otherwise pass. A run of some tests says that the rows aren't counted, and why.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastsoftmax as fs
import pytest
from rows import cpu_kernels

#: What the options of pytest are called by which a part of the tests is asked for.
PARTIAL = {
    "keyword": "tests were selected by keyword",
    "lf": "tests were selected by their last failure",
    "stepwise": "tests were selected by their last failure",
    "deselect": "tests were deselected by name",
    "collectonly": "tests were collected only",
}

#: Of the rows that no test ran, so many are named.
NAMED = 20


def name_of(kernel: fs.Kernel) -> str:
    """Name one row."""
    return f"{kernel.id} {kernel.dtype}"


def marks_by_default(config: pytest.Config) -> str:
    """Give the selection by marks that pyproject.toml makes: whoever asks for no other has all."""
    options = config.getini("addopts")
    return options[options.index("-m") + 1] if "-m" in options else ""


def files_with_rows(folder: Path) -> set[str]:
    """Names of the files whose tests run for every row."""
    found = {p.name for p in folder.rglob("test_*.py") if "_kernel: fs.Kernel" in p.read_text()}
    if not found:
        raise pytest.UsageError(f"no test in {folder} takes a row of the registry")
    return found


def why_partial(config: pytest.Config, files: set[str], folder: Path) -> str:
    """Tell why the tests that were collected are a part of all; empty if they are all."""
    told = next((text for name, text in PARTIAL.items() if getattr(config.option, name, None)), "")
    missing = files_with_rows(folder) - files
    if told:
        return told
    if config.option.markexpr != marks_by_default(config):
        return "tests were selected by mark"
    if any("::" in argument for argument in config.args):
        return "single tests were named"
    return f"not asked for: {', '.join(sorted(missing))}" if missing else ""


class RowsRun:
    """Plugin of pytest: collects the rows in each worker, and judges them in the end.

    Parameters
    ----------
    config : pytest.Config
        Of a worker, of the process that leads workers, or of the only one.
    folder : Path
        Where the tests lie.
    """

    def __init__(self, config: pytest.Config, folder: Path) -> None:
        self.config, self.folder = config, folder
        self.rows: set[str] = set()
        self.partial: str | None = None  # None: nobody has collected tests
        self.said = ""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        """Note the row when the body of a test is entered; a skipped test never gets here."""
        callspec = getattr(item, "callspec", None)
        if callspec is not None:
            values = callspec.params.values()
            self.rows |= {name_of(v) for v in values if isinstance(v, fs.Kernel)}
        return (yield)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Note whether only a part of the tests was asked for."""
        files = {item.path.name for item in items}
        self.partial = why_partial(self.config, files, self.folder)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Add what a worker has run; one that crashed has run nothing."""
        told = getattr(node, "workeroutput", {})
        self.rows |= set(told.get("rows", ()))
        self.partial = told.get("partial", self.partial)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand the rows on, or fail the run if some are missing."""
        if hasattr(self.config, "workeroutput"):
            self.config.workeroutput |= {"rows": sorted(self.rows), "partial": self.partial}
            return
        if self.partial is None or session.exitstatus not in (
            pytest.ExitCode.OK,
            pytest.ExitCode.TESTS_FAILED,
        ):
            return
        if self.partial:
            self.said = f"rows of the registry aren't counted: {self.partial}"
            return
        available = {name_of(k) for k in cpu_kernels() if k.available}
        missing = sorted(available - self.rows)
        self.said = f"{len(available) - len(missing)} of {len(available)} rows of the registry ran"
        if missing:
            more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
            self.said += f", but not {', '.join(missing[:NAMED])}{more}"
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say how many rows ran."""
        if self.said:
            terminalreporter.write_line(self.said)
