"""What the compiled core declined: prepared for a second try, or refused in words."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fastsoftmax import _core
from fastsoftmax._inputs.checks import (
    checked_axis,
    checked_name,
    checked_operand,
    checked_out,
    checked_threads,
)
from fastsoftmax._inputs.libraries import Operand, count_write
from fastsoftmax._inputs.mask_scale_sink import checked_mask, checked_scale, checked_sink


def mapped(
    function: Callable[..., Any],
    logits: object,
    variant: str,
    axis: object,
    scale: object,
    mask: object,
    sink: object,
    out: object,
    threads: object,
    isa: str | None,
) -> Any:
    """Call an operation whose result has the shape of the logits."""
    x, before, after = _checked(logits, variant, axis, scale, mask, sink, threads, isa)
    target = np.empty_like(x.array, subok=False) if out is None else checked_out(out, x)
    if function(x.array, *before, target, *after) is False:
        # out overlaps what is read, or its elements lie apart in a way that only Python sees
        result = np.empty_like(target, order="C")
        finished(function(x.array, *before, result, *after))
        np.copyto(target, result)
    if out is None:
        return x.wrap(target)
    count_write(out)
    return out


def reduced(
    function: Callable[..., Any],
    logits: object,
    variant: str,
    axis: object,
    scale: object,
    mask: object,
    sink: object,
    threads: object,
    isa: str | None,
) -> tuple[Any, Operand]:
    """Call an operation that gives a value, or a tuple of them, for each row."""
    x, before, after = _checked(logits, variant, axis, scale, mask, sink, threads, isa)
    return finished(function(x.array, *before, *after)), x


def check_names(variant: object, isa: object) -> None:
    """Refuse names that aren't strings, and an empty ISA."""
    checked_name(variant, "variant")
    if isa is not None and not checked_name(isa, "isa"):
        known = ", ".join(_core.isas(False))
        raise ValueError(f"isa is empty; leave it out or pass one of: {known}")


def finished(result: Any) -> Any:
    """Pass on a result of the core, which must not refuse what has been checked."""
    if result is False:
        raise RuntimeError("the core refused arguments that passed every check; please report it")
    return result


def _checked(
    logits: object,
    variant: str,
    axis: object,
    scale: object,
    mask: object,
    sink: object,
    threads: object,
    isa: str | None,
) -> tuple[Operand, tuple[Any, ...], tuple[Any, ...]]:
    """Return the logits, and what the core takes before a result and after it, in its order."""
    x = checked_operand(logits)
    along, count = checked_axis(axis, x.array.ndim), checked_threads(threads)
    check_names(variant, isa)
    shape = x.array.shape
    computed = "float64" if x.array.dtype == np.float64 else "float32"
    rows = shape[: along % len(shape)] + shape[along % len(shape) + 1 :]
    adapting = (
        checked_scale(scale, computed),
        checked_mask(mask, shape, computed),
        checked_sink(sink, rows, computed),
    )
    return x, (variant, along, *adapting), (count, isa, x.bfloats)
