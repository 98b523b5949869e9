"""The entries of surrogates.toml in NumPy: what the generated C++ is compared with.

Deliberately apart from cpp/surrogates: it walks the text itself, step by step as written, every
step rounded to the dtype of the argument. It knows nothing of folding, sharing or fusing.
"""

from __future__ import annotations

import ast
import operator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul}


def evaluate_weight(entry: dict[str, Any], d: Array) -> Array:
    """Evaluate the weight h(d) of an entry.

    Parameters
    ----------
    entry : dict
        One table of surrogates.toml.
    d : ndarray of float32 or float64
        Distances below the maximum, d <= 0; -inf and NaN may occur.

    Returns
    -------
    ndarray
        Weights in the dtype and shape of `d`: d is clamped to the domain; at its lower end and
        below, the weight is 0. NaN where d is NaN.
    """
    low = d.dtype.type(entry["domain"][0])
    clamped = np.where(low > d, low, d)
    if entry["form"] == "g(m, s, x)":
        zero = np.zeros_like(clamped)
        h = _evaluate(entry, {"m": zero, "s": zero, "x": clamped}, d.dtype)
    elif entry["form"] == "h(u)":
        h = _evaluate(entry, {"u": clamped - low}, d.dtype)
    else:
        h = _evaluate(entry, {"d": clamped}, d.dtype)
    return np.where(d <= low, d.dtype.type(0.0), h)


def evaluate_update(entry: dict[str, Any], m: Array, s: Array, x: Array) -> Array:
    """Evaluate the published recurrence of an entry, nothing clamped and nothing rescaled.

    Parameters
    ----------
    entry : dict
        One table of surrogates.toml, of the form g(m, s, x).
    m, s, x : ndarray of float32 or float64
        Maximum and sum so far, next logit; all of one dtype.

    Returns
    -------
    ndarray
        The next sum, in the same dtype.

    Raises
    ------
    ValueError
        If the entry gives a weight, not a recurrence.
    """
    if entry["form"] != "g(m, s, x)":
        raise ValueError(f"the form {entry['form']} has no recurrence")
    return _evaluate(entry, {"m": m, "s": s, "x": x}, x.dtype)


def _evaluate(entry: dict[str, Any], names: dict[str, Any], dtype: np.dtype[Any]) -> Array:
    for name, text in entry.get("let", {}).items():
        names[name] = _value(ast.parse(text.strip(), mode="eval").body, names, dtype)
    with np.errstate(all="ignore"):  # far out, the recurrences overflow as their C++ does
        value = _value(ast.parse(entry["expression"].strip(), mode="eval").body, names, dtype)
        for _ in range(entry.get("squarings", 0)):
            value = value * value
    return np.asarray(value, dtype)


def _value(node: ast.expr, names: dict[str, Any], dtype: np.dtype[Any]) -> Any:
    match node:
        case ast.Constant(value=int() | float() as literal):
            return dtype.type(float(literal))
        case ast.Name(id=name):
            return names[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, names, dtype)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            return OPERATORS[type(op)](_value(left, names, dtype), _value(right, names, dtype))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            return _call(name, [_value(argument, names, dtype) for argument in arguments], dtype)
    raise ValueError(f"'{ast.unparse(node)}' is not part of an expression")


def _call(name: str, arguments: list[Any], dtype: np.dtype[Any]) -> Any:
    match name, arguments:
        case "abs", [a]:
            return np.abs(a)
        case "max", [a, b]:
            return np.maximum(a, b)
        case "min", [a, b]:
            return np.minimum(a, b)
        case "greater", [a, b]:
            return np.greater(a, b).astype(dtype)
    raise ValueError(f"no function {name} of {len(arguments)}")
