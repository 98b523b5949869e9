"""What cases share: options, registration, and the choice of kernels from the library's table."""

import importlib
import inspect
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import fastsoftmax as fs

from lib.data_sets import Shape
from lib.report import Table

#: Study entry points of the compiled library; private, hence without types.
core: Any = importlib.import_module("fastsoftmax._core")

#: What `online` runs when no variant is named.
DEFAULT = inspect.signature(fs.online).parameters["variant"].default


@dataclass(frozen=True)
class Options:
    """What the user asked for; an empty choice means all."""

    quick: bool = False
    variants: tuple[str, ...] = ()
    isas: tuple[str, ...] = ()
    shapes: tuple[Shape, ...] = ()
    runs: int = 1
    threads: int = 1
    aligned: bool = False

    @property
    def rounds(self) -> int:
        """Samples of each candidate."""
        return 9 if self.quick else 60


@dataclass(frozen=True)
class Case:
    """One experiment: `run` returns its tables, none if the choice leaves nothing to run.

    `headline` says in a line what the tables of a run come to, None if they lack what it needs. A
    name with a slash is that of a member of a group.
    """

    name: str
    summary: str
    operations: tuple[str, ...]
    run: Callable[[Options, "Progress"], list[Table]]
    headline: Callable[[list[Table]], str | None]


def on_stderr(text: str) -> None:
    """Print a line of progress."""
    print(text, file=sys.stderr, flush=True)


@dataclass
class Progress:
    """Says which part of a long run begins, by default in a line on standard error."""

    case: str
    say: Callable[[str], None] = on_stderr
    parts: int = 0
    done: int = field(default=0, init=False)

    def expect(self, parts: int) -> None:
        """Announce how many parts there are."""
        self.parts = parts

    def next(self, what: str) -> None:
        """Say which part begins."""
        self.done += 1
        self.say(f"{self.case} {self.done}/{self.parts}: {what}")


def runnable(operations: Iterable[str]) -> list[fs.Kernel]:
    """Every row of the library's table for these operations that this CPU can run."""
    wanted = set(operations)
    return [
        kernel
        for kernel in fs.kernels()
        if kernel.op in wanted and kernel.available and kernel.device == "cpu"
    ]


def chosen(options: Options, operation: str, dtype: str) -> list[fs.Kernel]:
    """Rows for one operation and dtype that the user's choice leaves."""
    return [
        kernel
        for kernel in runnable([operation])
        if kernel.dtype == dtype
        and (not options.variants or kernel.variant in options.variants)
        and (not options.isas or kernel.isa in options.isas)
    ]


def once_each(kernels: Iterable[fs.Kernel]) -> list[fs.Kernel]:
    """One row a variant, on the best ISA among the given ones."""
    rank = {isa: place for place, isa in enumerate(fs.isas())}
    best: dict[str, fs.Kernel] = {}
    for kernel in kernels:
        held = best.get(kernel.variant)
        if held is None or rank[kernel.isa] < rank[held.isa]:
            best[kernel.variant] = kernel
    return list(best.values())
