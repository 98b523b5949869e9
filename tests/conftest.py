"""The rows of the registry as test parameters, and the count of those that really ran.

A test that takes `online_kernel` runs for every row of that operation, one that takes
`monotone_online_kernel` for those of them that the filter lets through; filters may be chained.
Rows that this CPU can't run are skipped and say so.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import fastsoftmax as fs
import pytest
from references import is_plain
from rows import cpu_kernels

HERE = Path(__file__).parent
LAST = "test_every_available_row_ran"


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


def rows_of(fixture: str) -> list[fs.Kernel]:
    """Rows that the name of a fixture stands for."""
    name = fixture.removesuffix("_kernel")
    op = max((op for op in OPERATIONS if f"_{name}".endswith(f"_{op}")), key=len, default="")
    filters = name.removesuffix(op).split("_")[:-1]
    rows = [k for k in cpu_kernels() if k.op == op and all(FILTERS[f](k) for f in filters)]
    if not rows:
        raise pytest.UsageError(f"the registry has no row for {fixture}")
    return rows


def parameter(kernel: fs.Kernel) -> object:
    """One row as a parameter, skipped with its reason where it can't run."""
    reason = f"this CPU can't run {kernel.isa}"
    marks = () if kernel.available else (pytest.mark.skip(reason=reason),)
    return pytest.param(kernel, id=f"{kernel.id}/{kernel.dtype}", marks=marks)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give every row of an operation to the tests that ask for it."""
    for fixture in metafunc.fixturenames:
        if fixture.endswith("_kernel"):
            metafunc.parametrize(fixture, [parameter(kernel) for kernel in rows_of(fixture)])


class RowsRun:
    """Which rows the bodies of tests were entered with, and whether all tests were asked for."""

    def __init__(self) -> None:
        self.rows: set[fs.Kernel] = set()
        self.partial = ""


_rows_run = RowsRun()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Note the row when the body of a test is entered; a skipped test never gets here."""
    callspec = getattr(item, "callspec", None)
    if callspec is not None:
        _rows_run.rows |= {v for v in callspec.params.values() if isinstance(v, fs.Kernel)}
    return (yield)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the count last, and note when only a part of the tests was asked for."""
    items.sort(key=lambda item: item.name == LAST)
    needed = {p.name for p in HERE.glob("test_*.py") if "_kernel: fs.Kernel" in p.read_text()}
    missing = needed - {item.path.name for item in items}
    if config.option.keyword or config.option.markexpr or getattr(config.option, "lf", False):
        _rows_run.partial = "tests were selected by keyword, mark or last failure"
    elif any("::" in argument for argument in config.args):
        _rows_run.partial = "single tests were named"
    elif missing:
        _rows_run.partial = f"not asked for: {', '.join(sorted(missing))}"


@pytest.fixture
def rows_run() -> RowsRun:
    """Give the count of rows."""
    return _rows_run
