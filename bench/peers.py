"""Other people's softmax. To add one: a function below with @peer, which imports its library.

The function returns a call `softmax(x, out)` over the last axis of two-dimensional float32 arrays,
or None where its library is missing: a peer is never a dependency. One thread.
"""

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import study
from data_sets import Float32

Softmax = Callable[[Float32, Float32], object]
Load = Callable[[], Softmax | None]

PEERS: dict[str, Load] = {}
#: The ones that everybody has; the case `rows` shows every variant beside these alone.
USUAL = ("std::exp loop", "numpy", "scipy")


def peer(name: str) -> Callable[[Load], Load]:
    """Register a peer under the name that tables show."""

    def register(load: Load) -> Load:
        PEERS[name] = load
        return load

    return register


def _library(name: str) -> Any:
    """Import a library that may be missing; None if it is."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


@peer("std::exp loop")
def _std_exp() -> Softmax:
    loop: Softmax = study.baselines.softmax
    return loop


@peer("numpy")
def _numpy() -> Softmax:
    def softmax(x: Float32, out: Float32) -> None:
        np.subtract(x, x.max(axis=-1, keepdims=True), out=out)
        np.exp(out, out=out)
        out /= out.sum(axis=-1, keepdims=True)

    return softmax


@peer("scipy")
def _scipy() -> Softmax | None:
    special = _library("scipy.special")
    if special is None:
        return None

    def softmax(x: Float32, out: Float32) -> None:
        out[...] = special.softmax(x, axis=-1)

    return softmax


@peer("torch.softmax(out=)")
def _torch() -> Softmax | None:
    torch = _library("torch")
    if torch is None:
        return None
    torch.set_num_threads(1)
    tensors: dict[int, Any] = {}

    def tensor(array: Float32) -> Any:
        """Give the tensor over an array's memory; making it anew would be timed with each call."""
        if id(array) not in tensors:
            tensors[id(array)] = torch.from_numpy(array)  # which keeps the array, hence its id
        return tensors[id(array)]

    def softmax(x: Float32, out: Float32) -> None:
        torch.softmax(tensor(x), dim=-1, out=tensor(out))

    return softmax


def installed(names: tuple[str, ...] | None = None) -> dict[str, Softmax]:
    """Give the peers that can be imported here, all or those named."""
    loaded = {name: load() for name, load in PEERS.items() if names is None or name in names}
    return {name: softmax for name, softmax in loaded.items() if softmax is not None}
