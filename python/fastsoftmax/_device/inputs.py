"""Arguments on a CUDA device, checked, or refused in words.

Results are made by the library that the logits come from, and kernels go to its current stream, or
to `stream`. Nothing here waits for the device.
"""

from typing import Any

import numpy as np

from fastsoftmax._device.libraries import library_of
from fastsoftmax._device.registry import usable
from fastsoftmax._inputs.checks import checked_axis, checked_name, checked_threads
from fastsoftmax._inputs.libraries import check_tensor, on_device
from fastsoftmax._inputs.mask_scale_sink import check_fits, describe, masked_at_most

FLOATS = ("float16", "bfloat16", "float32", "float64")


def _extension(device: int, name: str) -> Any:
    try:
        return usable()
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


class Place:
    """Where an array lies: its device, what makes results there, and the stream of the kernel."""

    def __init__(self, value: Any, name: str, stream: Any) -> None:
        self.name, self.device = name, int(value.__dlpack_device__()[1])
        self.cuda = _extension(self.device, name)
        self.library = library_of(value, name)
        self.stream = _stream_of(stream, self.library.current_stream())

    def upload(self, values: Any) -> Any:
        """See a copy on the device of a few numbers in NumPy's memory."""
        return self.seen(self.library.upload(values), "a copy")

    def check_isa(self, isa: Any) -> None:
        """Refuse the name of an instruction set of CPUs."""
        if isa is not None and checked_name(isa, "isa") != self.cuda.isa:
            raise ValueError(f"isa {isa!r} can't take arrays on a CUDA device; {self.cuda.isa} can")

    def check_variant(self, variant: Any, op: str, dtype: str, what: str = "variant") -> str:
        """`variant` if the operation has it for a dtype."""
        kernels = [kernel for kernel in self.cuda.kernels() if kernel["op"] == op]
        known = dict.fromkeys(kernel["variant"] for kernel in kernels)
        if checked_name(variant, what) not in known:
            raise ValueError(
                f"unknown {what} {variant!r} for {op} on CUDA; there are: {', '.join(known)}"
            )
        having = [kernel["variant"] for kernel in kernels if kernel["dtype"] == dtype]
        if variant not in having:
            raise ValueError(
                f"{what} {variant!r} of {op} has no {dtype} kernel on CUDA; {', '.join(having)} has"
            )
        return str(variant)

    def seen(self, value: Any, name: str) -> Any:
        """See `value` as the extension module does: memory on the device, without a copy."""
        mine = f"{self.name} on CUDA device {self.device}"
        if not on_device(value):
            raise TypeError(
                f"{name} is a {describe(value)} on another device, {mine}; bring both to one device"
            )
        if hasattr(value, "requires_grad"):
            check_tensor(value, name)
            if value.is_neg():
                raise TypeError(f"{name} is a view that negates; pass {name}.resolve_neg()")
        device = int(value.__dlpack_device__()[1])
        if device != self.device:
            raise ValueError(f"{name} is on CUDA device {device}, {mine}; bring both to one device")
        try:  # what the array still waits for, the stream will wait for
            return self.cuda.Array(value.__dlpack__(stream=self.stream or 1))
        except (BufferError, TypeError) as error:
            raise TypeError(f"{name} can't be seen through DLPack: {error}") from None

    def scratch(self, size: int) -> Any:
        """Bytes for a kernel to work in; reused by the library once the stream is done."""
        return self.seen(self.library.empty((size,), self.library.dtype("uint8")), "scratch")

    def cast(self, value: Any, dtype: str) -> Any:
        """See `value` in another dtype."""
        return self.seen(self.library.cast(value, self.library.dtype(dtype)), "a copy")


class Call(Place):
    """What all operations take, checked; and what makes their results."""

    def __init__(
        self, op: str, logits: Any, variant: Any, axis: Any, threads: Any, stream: Any, isa: Any
    ) -> None:
        super().__init__(logits, "logits", stream)
        self.logits, self.x = logits, self.seen(logits, "logits")
        if self.x.dtype not in FLOATS:
            raise TypeError(f"logits must be {', '.join(FLOATS)}, not {_dtype(self.x, logits)}")
        if not self.x.shape:
            raise ValueError("logits has no dimension (0-d); pass an array with at least one")
        self.axis = checked_axis(axis, len(self.x.shape)) % len(self.x.shape)
        self.rows = self.x.shape[: self.axis] + self.x.shape[self.axis + 1 :]
        self.computed = "float64" if self.x.dtype == "float64" else "float32"
        checked_threads(threads)
        self.op, self.masked_at_most = op, masked_at_most(self.computed, self.computed)
        same = {"logsumexp": "normalizer"}
        self.variant = self.check_variant(variant, same.get(op, op), self.computed)
        self.check_isa(isa)

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

    def mask(self, mask: Any) -> Any:
        """See a mask as booleans, or as floats that go with the logits; broadcast by strides."""
        if mask is None:
            return None
        array = self.seen(mask, "mask")
        if array.dtype != "bool" and array.dtype not in FLOATS:
            raise TypeError(
                "mask must be an array of bool (True = keep) or float (added to the logits), not "
                f"{describe(mask)} of {_dtype(array, mask)}"
            )
        check_fits(array.shape, "mask", self.x.shape, "logits have")
        if array.dtype != "bool":
            self.masked_at_most = masked_at_most(array.dtype, self.computed)
        return array if array.dtype in ("bool", self.computed) else self.cast(mask, self.computed)

    def sink(self, sink: Any) -> Any:
        """See a sink as floats of the type that the logits are computed in."""
        if sink is None:
            return None
        if isinstance(sink, (int, float)) and not isinstance(sink, bool):
            made = self.library.full(float(sink), self.library.dtype(self.computed))
            return self.seen(made, "sink")
        array = self.seen(sink, "sink")
        if array.dtype not in FLOATS:
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

    def launch(self, scale: float, mask: Any, sink: Any, y: Any, m: Any, s: Any) -> None:
        """Enqueue the kernel, if there is anything to write."""
        if 0 in (self.x.shape if y is not None else self.rows):
            return
        self.cuda.rows(
            self.op, self.x, self.variant, self.axis, scale, mask, self.masked_at_most, sink,
            y, m, s, self.stream, self.scratch,
        )  # fmt: skip


def _dtype(array: Any, value: Any) -> str:
    return array.dtype or str(getattr(value, "dtype", "an unusual dtype"))
