"""JSON files of `Params`, checked before anything is computed from them."""

import json
import math
from os import PathLike
from typing import Any

import numpy as np

#: Version of the files that `Params.save` writes.
VERSION = 1
#: The most heads and bytes of a file: far more than models have. Larger ones are refused at once.
MOST_HEADS = 1 << 18
MOST_BYTES = 1 << 25
_MOST_AXES = 32
_ARRAYS = ("scale", "B", "S", "Dmax")
_KEYS = ("version", "profile", "mode", "n", *_ARRAYS)


def read(path: str | PathLike[str]) -> dict[str, Any]:
    """Return the arguments of `Params`, of the right types; ValueError for anything else."""
    with open(path, "rb") as file:
        text = file.read(MOST_BYTES + 1)
    if len(text) > MOST_BYTES:
        raise ValueError(f"{path} has more than {MOST_BYTES} bytes, so it is no file of Params")
    try:
        found = json.loads(text.decode(), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no JSON file: {str(error)[:200]}") from None
    if not isinstance(found, dict) or found.keys() != set(_KEYS):
        raise ValueError(f"{path} must be an object of {', '.join(_KEYS)}, and nothing else")
    try:
        return _checked(found)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key of an object occurs twice")
    return found


def _checked(found: dict[str, Any]) -> dict[str, Any]:
    for name, kind in (("version", int), ("n", int), ("profile", str), ("mode", str)):
        # `type(...) is`: Python's bool is an int, too.
        if type(found[name]) is not kind:
            raise ValueError(f"{name} must be {_NAMES[kind]}, not {_name(found[name])}")
    if found["version"] != VERSION:
        version = str(found["version"])[:20]
        raise ValueError(f"its version is {version}; this release reads {VERSION}")
    shapes = [_shape(found[name], name, name == "scale") for name in _ARRAYS]
    try:
        heads = math.prod(np.broadcast_shapes(*shapes))
    except ValueError:
        told = ", ".join(map(str, shapes))
        raise ValueError(f"scale, B, S, Dmax don't broadcast: their shapes are {told}") from None
    if heads > MOST_HEADS:
        raise ValueError(f"it is of {heads} heads; a file may have {MOST_HEADS}")
    arrays = {
        name: _array(found[name], name, np.float64 if name == "scale" else np.int64)
        for name in _ARRAYS
    }
    return {name: found[name] for name in ("n", "profile", "mode")} | arrays


_NAMES = {int: "a whole number", str: "text"}


def _name(value: object) -> str:
    names = {dict: "an object", list: "a list", type(None): "null", float: "a fraction"}
    return (_NAMES | names | {bool: "true or false"})[type(value)]


def _shape(value: object, name: str, fractions: bool, depth: int = 0) -> tuple[int, ...]:
    """Shape of a number or of lists of lists of numbers."""
    if not isinstance(value, list):
        if type(value) is int or (fractions and type(value) is float):
            return ()
        wanted = "numbers" if fractions else "whole numbers"
        raise ValueError(f"{name} must be {wanted}, not {_name(value)}")
    if depth == _MOST_AXES:
        raise ValueError(f"{name} has more than {_MOST_AXES} lists within each other")
    inner = {_shape(each, name, fractions, depth + 1) for each in value}
    if len(inner) > 1:
        raise ValueError(f"{name} has lists of unequal length")
    return (len(value), *(inner.pop() if inner else ()))


def _array(value: Any, name: str, dtype: type) -> Any:
    try:
        return np.array(value, dtype)
    except OverflowError:
        raise ValueError(f"{name} has a number that is far too large") from None
