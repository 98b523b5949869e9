"""A softmax tied to its arrays, as a user ties it before a loop: only the work is left to time."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from lib.data_sets import Float32


@dataclass(frozen=True)
class Bound:
    """`run` computes once; `result` gives what the last run computed.

    Some libraries only get the addresses of the arrays: whoever tied them keeps them alive.
    """

    run: Callable[[], object]
    result: Callable[[], Float32]

    def run_once(self) -> Float32:
        """Compute and give the result."""
        self.run()
        return self.result()


#: Ties (x, out, threads): rows x and an array of the same shape which takes the result if it can.
BindSoftmax = Callable[[Float32, Float32, int], Bound]
#: Ties (x, threads).
BindLogsumexp = Callable[[Float32, int], Bound]


def library(name: str) -> Any:
    """Import a library that may be missing; without types, so that checks don't need it either."""
    return importlib.import_module(name)


def keeping(compute: Callable[[], Any]) -> Bound:
    """Tie a function that returns a new array for each run."""
    last: list[Any] = [None]

    def run() -> None:
        last[0] = compute()

    return Bound(run, lambda: np.asarray(last[0]))
