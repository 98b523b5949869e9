"""The table of kernels as Python sees it."""

import platform
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from fastsoftmax import _core

if TYPE_CHECKING:
    from fastsoftmax._kernel import Kernel


@lru_cache(maxsize=1)
def cpu_kernels() -> "tuple[Kernel, ...]":
    """Return the entries for NumPy arrays, which need no look at devices."""
    from fastsoftmax._kernel import Kernel

    return tuple(Kernel(**entry) for entry in _core.kernels())


def _device_kernels() -> "list[Kernel]":
    from fastsoftmax._device import registry
    from fastsoftmax._kernel import Kernel

    return [Kernel(**entry) for entry in registry.kernels()]


def kernels() -> "list[Kernel]":
    """Every compiled kernel; those that can't run here have ``available=False``.

    The CPU's first, of which `isas` tells, then those for arrays on a CUDA device, if built.
    `logsumexp` runs the kernels of ``normalizer``. The operations ``update`` and ``weight`` are for
    study and tests and have no public function.
    """
    return [*cpu_kernels(), *_device_kernels()]


def variants(op: str = "online") -> list[str]:
    """Names of the variants that an operation takes, in the order of the table.

    Parameters
    ----------
    op : str
        ``"online"`` (also for `softmax`), ``"normalizer"``, ``"logsumexp"`` or ``"scan"``.

    Raises
    ------
    ValueError
        For an operation that doesn't exist.
    """
    same = {"softmax": "online", "logsumexp": "normalizer"}
    names = _core.variants(same.get(op, op))
    if not names:
        known = sorted({kernel.op for kernel in cpu_kernels()} | same.keys())
        raise ValueError(f"no operation is called {op!r}; there are: {', '.join(known)}")
    return names


def isas(op: str | None = None, *, all: bool = False) -> list[str]:
    """Instruction sets of CPUs, best first.

    Parameters
    ----------
    op : str, optional
        An operation of `kernels`: only the instruction sets that have it.
    all : bool
        All that were compiled, not only those that run here.

    Returns
    -------
    list of str
    """
    having = {kernel.isa for kernel in cpu_kernels() if op in (None, kernel.op)}
    return [isa for isa in _core.isas(all) if isa in having]


def info() -> dict[str, Any]:
    """Version, machine and choice of instruction set: what a bug report should contain."""
    from fastsoftmax._device import registry

    operations = dict.fromkeys(kernel.op for kernel in cpu_kernels())
    return {
        "fastsoftmax": _core.version,
        "compiler": _core.compiler,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "numpy": np.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
        "isas available": isas(),
        "isas compiled": isas(all=True),
        "isa by default": {op: _core.default_isa(op) for op in operations},
        "threads by default": _core.default_threads(),
        "CUDA": registry.status(),
        "kernels": len(kernels()),
    }


def require_environment() -> None:
    """Refuse to be imported with a FASTSOFTMAX_ variable that can't be obeyed."""
    problem = _core.environment_problem()
    if problem:
        raise ValueError(problem)
