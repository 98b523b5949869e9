"""Arrays on a CUDA device: told from others, checked, and handed to the extension module.

Results are made by the library that the logits come from, and kernels go to its current stream, or
to `stream`. Nothing here waits for the device.
"""

from functools import lru_cache
from typing import Any

import numpy as np

from fastsoftmax._adapting import check_fits, checked_scale, describe
from fastsoftmax._arrays import checked_axis, checked_name, checked_threads
from fastsoftmax._containers import check_tensor, on_device
from fastsoftmax._device_libraries import library_of

_FLOATS = ("float16", "bfloat16", "float32", "float64")


@lru_cache(maxsize=1)
def built() -> Any:
    """Return the extension module, or None where the package was built without it."""
    try:
        from fastsoftmax import _cuda
    except ImportError:
        return None
    return _cuda


@lru_cache(maxsize=1)
def _usable() -> Any:
    """Return the extension module; RuntimeError where it has nothing to run on."""
    cuda = built()
    if cuda is None:
        raise RuntimeError(
            "this fastsoftmax was built without CUDA: install it from source where nvcc is found"
        )
    found, problem = cuda.devices()
    if not found:
        raise RuntimeError(f"no CUDA device can be used here: {problem or 'the driver shows none'}")
    return cuda


def _extension(device: int, name: str) -> Any:
    try:
        return _usable()
    except RuntimeError as error:
        raise RuntimeError(
            f"{name} is an array on CUDA device {device}, but {error}; or pass a copy of {name} on "
            "the CPU"
        ) from None


def _stream_of(stream: Any, current: int) -> int:
    """Handle of a stream that was passed; those of DLPack and torch for the default are one."""
    if stream is None:
        return current
    handle = getattr(stream, "cuda_stream", getattr(stream, "ptr", stream))
    if isinstance(handle, bool) or not isinstance(handle, (int, np.integer)) or handle < 0:
        raise TypeError(
            f"stream must be a stream of torch or CuPy or the handle of one, not {stream!r}"
        )
    return 0 if handle == 1 else int(handle)


class Call:
    """What all operations take, checked; and what makes their results."""

    def __init__(
        self, op: str, logits: Any, variant: Any, axis: Any, threads: Any, isa: Any, stream: Any
    ) -> None:
        self.device = int(logits.__dlpack_device__()[1])
        self.cuda = _extension(self.device, "logits")
        self.library = library_of(logits, "logits")
        self.stream = _stream_of(stream, self.library.current_stream())
        self.logits, self.x = logits, self.seen(logits, "logits")
        if self.x.dtype not in _FLOATS:
            raise TypeError(f"logits must be {', '.join(_FLOATS)}, not {_dtype(self.x, logits)}")
        if not self.x.shape:
            raise ValueError("logits has no dimension (0-d); pass an array with at least one")
        self.axis = checked_axis(axis, len(self.x.shape)) % len(self.x.shape)
        self.rows = self.x.shape[: self.axis] + self.x.shape[self.axis + 1 :]
        self.computed = "float64" if self.x.dtype == "float64" else "float32"
        checked_threads(threads)
        self.op, self.variant = op, self._checked_variant(op, variant)
        if isa is not None and checked_name(isa, "isa") != self.cuda.isa:
            raise ValueError(f"isa {isa!r} can't take arrays on a CUDA device; {self.cuda.isa} can")

    def _checked_variant(self, op: str, variant: Any) -> str:
        same = {"logsumexp": "normalizer"}
        rows = [row for row in self.cuda.kernels() if row["op"] == same.get(op, op)]
        known = dict.fromkeys(row["variant"] for row in rows)
        if checked_name(variant, "variant") not in known:
            raise ValueError(
                f"unknown variant {variant!r} for {op} on CUDA; there are: {', '.join(known)}"
            )
        having = [row["variant"] for row in rows if row["dtype"] == self.computed]
        if variant not in having:
            raise ValueError(
                f"variant {variant!r} of {op} has no {self.computed} kernel on CUDA; "
                f"{', '.join(having)} has"
            )
        return str(variant)

    def seen(self, value: Any, name: str) -> Any:
        """See `value` as the extension module does: memory on the device, without a copy."""
        if not on_device(value):
            raise TypeError(
                f"{name} is a {describe(value)} on another device than the logits, which are on "
                f"CUDA device {self.device}; bring both to one device"
            )
        if hasattr(value, "requires_grad"):
            check_tensor(value, name)
            if value.is_neg():
                raise TypeError(f"{name} is a view that negates; pass {name}.resolve_neg()")
        device = int(value.__dlpack_device__()[1])
        if device != self.device:
            raise ValueError(
                f"{name} is on CUDA device {device}, the logits are on CUDA device {self.device}; "
                "bring both to one device"
            )
        try:  # what the array still waits for, the stream will wait for
            return self.cuda.Array(value.__dlpack__(stream=self.stream or 1))
        except (BufferError, TypeError) as error:
            raise TypeError(f"{name} can't be seen through DLPack: {error}") from None

    def native(self, dtype: str) -> Any:
        """Name of a dtype as the library of the logits has it."""
        return self.logits.dtype if dtype == self.x.dtype else self.library.dtype(dtype)

    def new(self, shape: tuple[int, ...], dtype: str) -> tuple[Any, Any]:
        """Make an array for results: the caller's, and as the extension module sees it."""
        made = self.library.empty(shape, self.native(dtype))
        return made, self.seen(made, "a result")

    def along_axis(self, array: Any) -> bool:
        """Whether elements of a row are neighbours, as kernels need them."""
        return bool(array.shape[self.axis] <= 1 or array.strides[self.axis] == 1)

    def take_rows(self) -> None:
        """Copy logits whose rows aren't contiguous."""
        if not self.along_axis(self.x):
            self.copy_logits()

    def copy_logits(self) -> None:
        """Go on with a copy."""
        self.x = self.seen(self.library.copy_rows(self.logits, self.axis), "a copy")

    def scratch(self, size: int) -> Any:
        """Bytes for a kernel to work in; reused by the library once the stream is done."""
        return self.seen(self.library.empty((size,), self.library.dtype("uint8")), "scratch")

    def cast(self, value: Any, dtype: str) -> Any:
        """See `value` in another dtype."""
        return self.seen(self.library.cast(value, self.library.dtype(dtype)), "a copy")

    def mask(self, mask: Any) -> Any:
        """See a mask as booleans, or as floats that go with the logits; broadcast by strides."""
        if mask is None:
            return None
        array = self.seen(mask, "mask")
        if array.dtype != "bool" and array.dtype not in _FLOATS:
            raise TypeError(
                "mask must be an array of bool (True = keep) or float (added to the logits), not "
                f"{describe(mask)} of {_dtype(array, mask)}"
            )
        check_fits(array.shape, "mask", self.x.shape, "logits have")
        return array if array.dtype in ("bool", self.computed) else self.cast(mask, self.computed)

    def sink(self, sink: Any) -> Any:
        """See a sink as floats of the type that the logits are computed in."""
        if sink is None:
            return None
        if isinstance(sink, (int, float)) and not isinstance(sink, bool):
            made = self.library.full(float(sink), self.library.dtype(self.computed))
            return self.seen(made, "sink")
        array = self.seen(sink, "sink")
        if array.dtype not in _FLOATS:
            raise TypeError(
                f"sink must be a number or an array of float, not {_dtype(array, sink)}"
            )
        check_fits(array.shape, "sink", self.rows, "logits without the axis have")
        return array if array.dtype == self.computed else self.cast(sink, self.computed)

    def result(self, out: Any) -> tuple[Any, Any]:
        """Array for a result of the shape of the logits: `out`, or one to be copied there."""
        target = None if out is None else self._checked_out(out)
        if target is not None and self.along_axis(target):
            if self.x.overlaps(target) and not self.x.same_layout(target):
                self.copy_logits()
            return out, target
        made = self.library.empty_rows(self.x.shape, self.logits.dtype, self.axis)
        return made, self.seen(made, "a result")

    def _checked_out(self, out: Any) -> Any:
        array = self.seen(out, "out")
        if array.dtype != self.x.dtype:
            raise TypeError(f"out has dtype {array.dtype}; the result is {self.x.dtype}")
        if array.shape != self.x.shape:
            raise ValueError(f"out has shape {array.shape}; the result has {self.x.shape}")
        if not array.distinct:
            raise ValueError("elements of out share memory; pass an array that isn't broadcast")
        return array

    def apart(self, operand: Any, value: Any, out: Any) -> Any:
        """See a copy of `value` where the result would be written over it before it is read."""
        if operand is None or not operand.overlaps(out):
            return operand
        return self.cast(self.library.copy_rows(value, len(value.shape) - 1), operand.dtype)

    def launch(self, y: Any, m: Any, s: Any, mask: Any, sink: Any, scale: float) -> None:
        """Enqueue the kernel, if there is anything to write."""
        if 0 in (self.x.shape if y is not None else self.rows):
            return
        self.cuda.rows(
            self.op, self.variant, self.x, self.axis, y, m, s, mask, sink, scale, self.stream,
            self.scratch,
        )  # fmt: skip


def mapped(
    op: str,
    logits: Any,
    variant: Any,
    axis: Any,
    threads: Any,
    isa: Any,
    stream: Any,
    scale: Any,
    mask: Any,
    sink: Any,
    out: Any,
) -> Any:
    """Call an operation whose result has the shape of the logits."""
    call = Call(op, logits, variant, axis, threads, isa, stream)
    factor = checked_scale(scale)
    with call.library.using(call.stream):
        keep, more = call.mask(mask), call.sink(sink)
        call.take_rows()
        result, y = call.result(out)
        if result is out:  # what would be read after it is written over is copied first
            keep, more = call.apart(keep, mask, y), call.apart(more, sink, y)
        call.launch(y, None, None, keep, more, factor)
        if out is not None and result is not out:
            out[...] = result
    return result if out is None else out


def reduced(
    op: str,
    logits: Any,
    variant: Any,
    axis: Any,
    threads: Any,
    isa: Any,
    stream: Any,
    scale: Any,
    mask: Any,
    sink: Any,
) -> tuple[Any, ...]:
    """Call `normalizer`, for (m, s), or `logsumexp`, for one array in the dtype of the logits."""
    call = Call(op, logits, variant, axis, threads, isa, stream)
    factor = checked_scale(scale)
    with call.library.using(call.stream):
        keep, more = call.mask(mask), call.sink(sink)
        call.take_rows()
        m, first = call.new(call.rows, call.computed)
        s, second = call.new(call.rows, call.computed) if op == "normalizer" else (None, None)
        call.launch(None, first, second, keep, more, factor)
        if s is not None:
            return m, s
        return (m if call.computed == call.x.dtype else call.library.cast(m, logits.dtype),)


SCAN_THREADS = 64  #: of a block: a multiprocessor takes many blocks, and few sequences spread


def scan(
    logits: Any, variant: Any, axis: Any, threads: Any, isa: Any, stream: Any
) -> tuple[Any, Any]:
    """Call `scan`; threads that are neighbours read neighbours, so the axis comes first."""
    call = Call("scan", logits, variant, axis, threads, isa, stream)
    if call.x.dtype != call.computed:
        raise TypeError(f"scan takes {call.computed} on CUDA, not {call.x.dtype}")
    with call.library.using(call.stream):
        columns = call.x
        if call.axis > 0 or not columns.columns:
            columns = call.seen(call.library.copy_columns(logits, call.axis), "a copy")
        m, first = call.new(call.rows, call.computed)
        s, second = call.new(call.rows, call.computed)
        if 0 not in call.rows:
            call.cuda.scan(call.variant, columns, first, second, SCAN_THREADS, True, call.stream)
    return m, s


def kernels() -> list[dict[str, Any]]:
    """Rows of the table for CUDA; none where it wasn't built."""
    cuda = built()
    if cuda is None:
        return []
    available = bool(cuda.devices()[0])
    return [{**row, "available": available, "device": cuda.isa} for row in cuda.kernels()]


def _dtype(array: Any, value: Any) -> str:
    return array.dtype or str(getattr(value, "dtype", "an unusual dtype"))


def status() -> str:
    """Say in one line what `info` tells of CUDA."""
    cuda = built()
    if cuda is None:
        return "not built"
    found, problem = cuda.devices()
    shown = ", ".join(f"{name} ({major}.{minor})" for name, (major, minor) in found)
    return f"built for {cuda.architectures}; " + (
        f"runs on {shown}" if found else f"no device here: {problem or 'the driver shows none'}"
    )
