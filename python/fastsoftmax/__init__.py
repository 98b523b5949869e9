"""Softmax on the CPU, fast and exact, or with surrogates of exp, behind one function.

>>> import numpy as np, fastsoftmax
>>> fastsoftmax.online(np.array([0.0, 1.0], dtype=np.float32)).round(3).tolist()
[0.26899999380111694, 0.7310000061988831]

`online` (also called `softmax`) is softmax over an axis, `log_softmax` its logarithm; `topk` gives
the k largest probabilities and where they are; `normalizer` and `logsumexp` stop at its state;
`MaxSum` keeps that state for logits that come in chunks; `scan` walks the recurrence step by step,
for study. `variants()` names the surrogates, `kernels()` shows every compiled kernel with its
claimed error bound, `info()` says what runs here. int8 logits have `int8.softmax`, by a table of
exp, and `hccs.softmax`, by calibrated integers. `heinsen` is attention
with a state of constant size.
"""

import importlib
import sys
from typing import TYPE_CHECKING, Any

from fastsoftmax._core import version as __version__
from fastsoftmax._ops.max_sum import MaxSum
from fastsoftmax._ops.reductions import logsumexp, normalizer
from fastsoftmax._ops.scan import scan
from fastsoftmax._ops.softmax import log_softmax, online, softmax
from fastsoftmax._ops.topk import topk
from fastsoftmax._public import publish
from fastsoftmax._registry import info, isas, kernels, require_environment, variants

if TYPE_CHECKING:
    from fastsoftmax import hccs, heinsen, int8, reference
    from fastsoftmax._kernel import Kernel

require_environment()

# Never imported for its own sake; before 3.2 it knows no libraries but its own
if hasattr(sys.modules.get("threadpoolctl"), "LibController"):
    importlib.import_module("fastsoftmax.threadpool").register()

#: Modules that are loaded when they are first named, so that softmax alone is imported soon.
_LATER = frozenset({"hccs", "heinsen", "int8", "reference"})


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return importlib.import_module(f"{__name__}.{name}")
    if name == "Kernel":
        return importlib.import_module("fastsoftmax._kernel").Kernel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER, "Kernel"})


__all__ = [
    "Kernel",
    "MaxSum",
    "__version__",
    "hccs",
    "heinsen",
    "info",
    "int8",
    "isas",
    "kernels",
    "log_softmax",
    "logsumexp",
    "normalizer",
    "online",
    "reference",
    "scan",
    "softmax",
    "topk",
    "variants",
]

publish(globals())
