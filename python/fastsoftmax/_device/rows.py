"""Softmax, its relatives, topk and scan of arrays that lie on a CUDA device."""

from typing import Any

from fastsoftmax._device.inputs import Call
from fastsoftmax._inputs.libraries import count_write
from fastsoftmax._inputs.mask_scale_sink import checked_scale


def mapped(
    op: str,
    logits: Any,
    variant: Any,
    axis: Any,
    scale: Any,
    mask: Any,
    sink: Any,
    out: Any,
    threads: Any,
    stream: Any,
    isa: Any,
) -> Any:
    """Call an operation whose result has the shape of the logits."""
    call = Call(op, logits, variant, axis, threads, stream, isa)
    factor = checked_scale(scale, call.computed)
    with call.library.using(call.stream):
        seen_mask, seen_sink = call.mask(mask), call.sink(sink)
        call.take_rows()
        result, y = call.result(out)
        if result is out:  # what would be read after it is written over is copied first
            seen_mask = call.apart(seen_mask, mask, y)
            seen_sink = call.apart(seen_sink, sink, y)
        call.launch(factor, seen_mask, seen_sink, y, None, None)
        if out is not None and result is not out:
            out[...] = result
    if out is None:
        return result
    count_write(out)
    return out


def reduced(
    op: str,
    logits: Any,
    variant: Any,
    axis: Any,
    scale: Any,
    mask: Any,
    sink: Any,
    threads: Any,
    stream: Any,
    isa: Any,
) -> tuple[Any, ...]:
    """Call `normalizer`, for (m, s), or `logsumexp`, for one array in the dtype of the logits."""
    call = Call(op, logits, variant, axis, threads, stream, isa)
    factor = checked_scale(scale, call.computed)
    with call.library.using(call.stream):
        seen_mask, seen_sink = call.mask(mask), call.sink(sink)
        call.take_rows()
        m, first = call.new(call.rows, call.computed)
        s, second = call.new(call.rows, call.computed) if op == "normalizer" else (None, None)
        call.launch(factor, seen_mask, seen_sink, None, first, second)
        if s is not None:
            return m, s
        return (m if call.computed == call.x.dtype else call.library.cast(m, logits.dtype),)


def topk(
    logits: Any, k: int, axis: Any, scale: Any, mask: Any, threads: Any, stream: Any, isa: Any
) -> tuple[Any, Any]:
    """Call `topk`, which on a device takes the logits as they are."""
    call = Call("topk", logits, "exact", axis, threads, stream, isa)
    factor = checked_scale(scale, call.computed)
    if k > call.cuda.topk_most:
        raise ValueError(f"k is {k}; on a CUDA device topk takes up to {call.cuda.topk_most}")
    n = len(call.rows)
    order = (*range(call.axis), n, *range(call.axis, n))
    with call.library.using(call.stream):
        seen_mask = call.mask(mask)
        p, values = call.new((*call.rows, k), call.x.dtype)
        index, places = call.new((*call.rows, k), "int64")
        if 0 not in (*call.rows, k):
            given = (call.x, k, call.axis, factor, seen_mask, call.masked_at_most)
            call.cuda.topk(*given, values, places, call.stream)
        if call.axis != n:
            p, index = call.library.permuted(p, order), call.library.permuted(index, order)
    return p, index


SCAN_THREADS = 64  #: of a block: a multiprocessor takes many blocks, and few sequences spread


def scan(
    logits: Any, variant: Any, axis: Any, threads: Any, stream: Any, isa: Any
) -> tuple[Any, Any]:
    """Call `scan`; threads that are neighbours read neighbours, so the axis comes first."""
    call = Call("scan", logits, variant, axis, threads, stream, isa)
    if call.x.dtype != call.computed:
        raise TypeError(f"scan takes {call.computed} on CUDA, not {call.x.dtype}")
    with call.library.using(call.stream):
        columns = call.x
        if call.axis > 0 or not columns.columns:
            columns = call.seen(call.library.copy_columns(logits, call.axis), "a copy")
        m, first = call.new(call.rows, call.computed)
        s, second = call.new(call.rows, call.computed)
        if 0 not in call.rows:
            call.cuda.scan(columns, call.variant, first, second, SCAN_THREADS, True, call.stream)
    return m, s
