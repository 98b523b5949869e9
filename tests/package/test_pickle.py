"""What is public says so wherever it is named: in pickles, in reprs and in tracebacks."""

import importlib
import pickle
import pickletools
import pkgutil
from functools import reduce
from pathlib import Path
from types import ModuleType
from typing import Any

import fastsoftmax as fs
import numpy as np
import pytest

#: Modules of the package that only some installations can import, by what they need.
EXTRAS = {"fastsoftmax.torch": "torch", "fastsoftmax.heinsen.torch": "torch"}
EXTRAS |= {"fastsoftmax.threadpool": "threadpoolctl"}
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def public_modules() -> list[str]:
    """Names of all modules that a user may name."""
    found = [m.name for m in pkgutil.walk_packages(fs.__path__, "fastsoftmax.")]
    return ["fastsoftmax", *(name for name in found if is_public(name))]


def is_public(place: str) -> bool:
    """Whether no part of a dotted name is private."""
    return not any(part.startswith("_") for part in place.split("."))


def offered(module: ModuleType) -> list[Any]:
    """Classes and functions that a module offers; without `__all__` those that it defines."""
    names = getattr(module, "__all__", None)
    if names is None:
        names = [n for n, v in vars(module).items() if n[0] != "_" and defined_in(module, v)]
    values = [getattr(module, name) for name in names]
    return [v for v in values if callable(v) and not isinstance(v, ModuleType)]


def defined_in(module: ModuleType, value: object) -> bool:
    """Whether a value was defined in a module."""
    return getattr(value, "__module__", "") == module.__name__


@pytest.mark.parametrize("name", public_modules())
def test_public_place(name: str) -> None:
    """`__module__` and `__qualname__` are a public path, and lead to the very object."""
    if name in EXTRAS:
        pytest.importorskip(EXTRAS[name], reason=f"{name} needs {EXTRAS[name]}")
    for value in offered(importlib.import_module(name)):
        assert is_public(f"{value.__module__}.{value.__qualname__}"), value
        home = importlib.import_module(value.__module__)
        assert reduce(getattr, value.__qualname__.split("."), home) is value


def test_public_classes_are_found() -> None:
    """The walk itself: a walk that found none would prove nothing."""
    names = {
        value.__qualname__
        for name in ("", ".hccs", ".heinsen", ".int8", ".reference")
        for value in offered(importlib.import_module(f"fastsoftmax{name}"))
    }
    assert names >= {"Kernel", "MaxSum", "Params", "HeadStats", "State", "online", "topk"}
    assert not is_public("fastsoftmax._kernel.Kernel")


def values() -> dict[str, Any]:
    """Give one of everything that a user may want to keep."""
    stats = fs.hccs.HeadStats(0.1)
    stats.update(np.arange(12.0).reshape(1, 3, 4))
    k = np.arange(6, dtype=np.float32).reshape(2, 3)
    params = fs.hccs.Params(0.1, [600, 700], 9, 63, 128)
    found = {
        "Kernel": fs.kernels()[0],
        "MaxSum": fs.MaxSum(2).update(k),
        "Params": params,
        "HeadStats": stats,
        "empty HeadStats": fs.hccs.HeadStats(),
        "State": fs.heinsen.State((), 3, 3).update(k, k),
        "State of logarithms": fs.heinsen.State((), 3, 3, initial="zeros").update(k, log_v=k),
        "State without tokens": fs.heinsen.State((2,), 3, 3, dtype="float64"),
    }
    functions = [*fs.__all__, *(f"hccs.{name}" for name in fs.hccs.__all__), "int8.softmax"]
    for name in functions:
        value = reduce(getattr, name.split("."), fs)
        if callable(value):
            found[f"{name} itself"] = value
    return found


VALUES = values()


def told(value: Any, folder: Path) -> object:
    """Give what two values must have in common to be the same."""
    if isinstance(value, fs.hccs.HeadStats):
        return [np.asarray(part).tolist() for part in vars(value).values()]
    if isinstance(value, fs.heinsen.State):
        value.save(folder / "state.npz")
        return repr(value), value.kind, (folder / "state.npz").read_bytes()
    return value


@pytest.mark.parametrize("name", VALUES)
def test_pickle(name: str, tmp_path: Path) -> None:
    """Every protocol names public places alone, and gives the same."""
    for protocol in PROTOCOLS:
        data = pickle.dumps(VALUES[name], protocol)
        strings = [s for op, s, _ in pickletools.genops(data) if isinstance(s, str)]
        ours = [s for s in strings if s.startswith("fastsoftmax")]
        assert ours
        assert all(is_public(place.replace(" ", ".")) for place in ours), ours
        again = pickle.loads(data)
        assert type(again) is type(VALUES[name])
        assert told(again, tmp_path) == told(VALUES[name], tmp_path)


def test_state_refuses_what_is_no_file() -> None:
    """A pickle that was tampered with is refused in words, and a state isn't overwritten."""
    state = fs.heinsen.State((), 3, 3)
    for wrong, said in (("text", "is bytes, not str"), (b"no file", "saved State")):
        with pytest.raises(ValueError, match=said):
            fs.heinsen.State.__new__(fs.heinsen.State).__setstate__(wrong)
    with pytest.raises(AttributeError, match="can't be changed"):
        state.__setstate__(fs.heinsen.State((), 2, 2).__getstate__())
