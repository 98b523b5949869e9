"""The std::exp baselines of the study: baselines.cpp behind checks, for float32 and float64.

They are no part of the package: the compiler that is installed makes them at their first use.
Without one everything else goes on: `missing()` says why there are none.
"""

import ctypes
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from lib import compiled

SOURCE = Path(__file__).with_name("baselines.cpp")
#: The forms of the update; the first is the article's.
NAMES = ("two_exp", "one_exp")
DTYPES = (np.dtype(np.float32), np.dtype(np.float64))
FLAGS = ["-std=c++20", "-O3", "-DNDEBUG", "-ffp-contract=off"]
BY_COMPILER = {
    "gcc": [*FLAGS, "-fno-tree-vectorize", "-fno-tree-slp-vectorize"],
    "clang": [*FLAGS, "-fno-vectorize", "-fno-slp-vectorize"],
}

Array = Any  #: of NumPy, float32 or float64


@cache
def _loaded() -> ctypes.CDLL | str:
    """Give the library, or in one line why there is none."""
    try:
        return compiled.library(SOURCE, BY_COMPILER)
    except compiled.NotCompiled as trouble:
        return str(trouble)


def missing() -> str | None:
    """Say in one line why there are no baselines here; None if there are."""
    found = _loaded()
    return found if isinstance(found, str) else None


def missed() -> str | None:
    """Say the same if anybody has asked for them; compile nothing."""
    return missing() if _loaded.cache_info().currsize else None


def _function(name: str, dtype: Any) -> Any:
    found = _loaded()
    if isinstance(found, str):
        raise compiled.NotCompiled(found)
    function = getattr(found, f"{name}_{dtype}")
    function.restype = None
    return function


def _address(array: Array) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def _check(arrays: dict[str, Array], dimensions: dict[str, int]) -> None:
    """Refuse what the C++ can't take."""
    kind = next(iter(arrays.values())).dtype
    for name, array in arrays.items():
        if array.dtype not in DTYPES or array.dtype != kind or not array.flags.c_contiguous:
            raise TypeError(f"{name} must be a contiguous array of {kind}, float32 or float64")
        if array.ndim != dimensions.get(name, 1):
            raise ValueError(f"{name} must have {dimensions.get(name, 1)} dimensions")


def _form(name: str) -> str:
    if name not in NAMES:
        raise ValueError(f"unknown baseline {name!r}: {', '.join(NAMES)}")
    return name


def update(name: str, m: Array, s: Array, x: Array, out: Array, repeats: int) -> None:
    """Write s' of every tuple (m, s, x) into out, `repeats` times over."""
    _check({"m": m, "s": s, "x": x, "out": out}, {})
    if not len(m) == len(s) == len(x) == len(out):
        raise ValueError("m, s, x and out must have the same length")
    function = _function(f"update_{_form(name)}", out.dtype)
    function(*map(_address, (m, s, x, out)), ctypes.c_size_t(len(out)), ctypes.c_int(repeats))


def scan(name: str, x: Array, m: Array, s: Array) -> None:
    """Write the state (m, s) after each row of x, step by step from m = x[0], s = 1."""
    _check({"x": x, "m": m, "s": s}, {"x": 2})
    if len(m) != len(x) or len(s) != len(x):
        raise ValueError("m and s must have one element per row of x")
    if x.shape[1] == 0:
        raise ValueError("the rows of x must not be empty")
    function = _function(f"scan_{_form(name)}", x.dtype)
    function(_address(x), *map(ctypes.c_size_t, x.shape), _address(m), _address(s))


def tie_softmax(x: Array, out: Array) -> Callable[[], object]:
    """Tie the loop to rows x and to `out`, which takes their softmax; the call checks nothing.

    Whoever ties them keeps both arrays alive.
    """
    _check({"x": x, "out": out}, {"x": 2, "out": 2})
    if out.shape != x.shape:
        raise ValueError("out must have the shape of x")
    if x.shape[1] == 0:
        raise ValueError("the rows of x must not be empty")
    function = _function("softmax", x.dtype)
    return partial(function, _address(x), *map(ctypes.c_size_t, x.shape), _address(out))
