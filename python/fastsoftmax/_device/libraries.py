"""The libraries whose arrays lie on CUDA devices: what makes results, and on which stream.

Nothing is imported here: an array that is passed has brought its library along.
"""

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any


class Library:
    """Any library with the array API, for arrays on the device of one of its arrays.

    The array API shows no stream, so kernels go to the default stream, on which everything else
    waits.
    """

    def __init__(self, array: Any, namespace: Any) -> None:
        self.array, self.namespace = array, namespace

    def current_stream(self) -> int:
        """Handle of the stream that work goes to; 0 is the default stream."""
        return 0

    def using(self, stream: int) -> AbstractContextManager[Any]:
        """Let the library do its own work, and give memory, on another stream."""
        return nullcontext()

    def dtype(self, name: str) -> Any:
        """Name of a dtype as the library calls it."""
        return getattr(self.namespace, name)

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """Array to be written."""
        return self.namespace.empty(shape, dtype=dtype, device=self.array.device)

    def full(self, value: float, dtype: Any) -> Any:
        """One number as an array without dimensions."""
        return self.namespace.full((), value, dtype=dtype, device=self.array.device)

    def upload(self, values: Any) -> Any:
        """Copy of a NumPy array on the device; the host doesn't wait for it."""
        return self.namespace.asarray(values, device=self.array.device)

    def cast(self, array: Any, dtype: Any) -> Any:
        """`array` in another dtype."""
        return self.namespace.astype(array, dtype)

    def permuted(self, array: Any, axes: tuple[int, ...]) -> Any:
        """View of `array` with its dimensions in another order."""
        return self.namespace.permute_dims(array, axes)

    def reshaped(self, array: Any, shape: tuple[int, ...]) -> Any:
        """`array` in another shape, a copy where no view has it."""
        return self.namespace.reshape(array, shape)

    def empty_rows(self, shape: tuple[int, ...], dtype: Any, axis: int) -> Any:
        """Array to be written, whose elements along `axis` are neighbours."""
        order = [i for i in range(len(shape)) if i != axis] + [axis] * bool(shape)
        made = self.empty(tuple(shape[i] for i in order), dtype)
        if order == sorted(order):
            return made
        return self.permuted(made, tuple(order.index(i) for i in range(len(shape))))

    def copy_rows(self, array: Any, axis: int) -> Any:
        """Copy of `array`, whose elements along `axis` are neighbours."""
        made = self.empty_rows(tuple(array.shape), array.dtype, axis)
        made[...] = array
        return made

    def copy_columns(self, array: Any, axis: int) -> Any:
        """Copy of `array` in C order with `axis` in front."""
        order = (axis, *(i for i in range(len(array.shape)) if i != axis))
        made = self.empty(tuple(array.shape[i] for i in order), array.dtype)
        made[...] = self.permuted(array, order)
        return made


class Torch(Library):
    """PyTorch."""

    def current_stream(self) -> int:
        """Handle of torch's current stream of the device."""
        return int(self.namespace.cuda.current_stream(self.array.device).cuda_stream)

    def using(self, stream: int) -> AbstractContextManager[Any]:
        """Make it torch's current stream, so that its allocator knows who uses the memory."""
        cuda, device = self.namespace.cuda, self.array.device
        if stream == self.current_stream():
            return nullcontext()
        own = cuda.ExternalStream(stream, device) if stream else cuda.default_stream(device)
        return cuda.stream(own)  # type: ignore[no-any-return]

    def upload(self, values: Any) -> Any:
        """Copy of a NumPy array on the device; the host doesn't wait for it."""
        return self.namespace.from_numpy(values).to(self.array.device, non_blocking=True)

    def cast(self, array: Any, dtype: Any) -> Any:
        """`array` in another dtype."""
        return array.to(dtype)

    def permuted(self, array: Any, axes: tuple[int, ...]) -> Any:
        """View of `array` with its dimensions in another order."""
        return array.permute(axes)


class CuPy(Library):
    """CuPy, whose device and stream are the current ones."""

    def current_stream(self) -> int:
        """Handle of CuPy's current stream."""
        return int(self.namespace.cuda.get_current_stream().ptr)

    def using(self, stream: int) -> AbstractContextManager[Any]:
        """Make it CuPy's current stream, so that its pool knows who uses the memory."""
        if stream == self.current_stream():
            return nullcontext()
        return self.namespace.cuda.ExternalStream(stream)  # type: ignore[no-any-return]

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """Array to be written."""
        with self.array.device:
            return self.namespace.empty(shape, dtype=dtype)

    def full(self, value: float, dtype: Any) -> Any:
        """One number as an array without dimensions."""
        with self.array.device:
            return self.namespace.full((), value, dtype=dtype)

    def upload(self, values: Any) -> Any:
        """Copy of a NumPy array on the device; the host doesn't wait for it."""
        with self.array.device:
            return self.namespace.asarray(values)

    def cast(self, array: Any, dtype: Any) -> Any:
        """`array` in another dtype."""
        return array.astype(dtype)

    def permuted(self, array: Any, axes: tuple[int, ...]) -> Any:
        """View of `array` with its dimensions in another order."""
        return array.transpose(axes)


def library_of(array: Any, name: str) -> Library:
    """Library of an array that lies on a CUDA device."""
    module = type(array).__module__.partition(".")[0]
    if module == "torch":
        return Torch(array, sys.modules["torch"])
    if module == "cupy":
        return CuPy(array, sys.modules["cupy"])
    kind = f"{type(array).__module__}.{type(array).__qualname__}"
    if module in ("jax", "jaxlib"):
        raise TypeError(
            f"{name} is a JAX array on a CUDA device; JAX gives neither its stream nor memory that "
            f"can be written: pass torch.from_dlpack({name}), or jax.device_get({name}) for the CPU"
        )
    namespace = getattr(array, "__array_namespace__", lambda: None)()
    if namespace is None:
        raise TypeError(
            f"{name} is a {kind} on a CUDA device, whose library can't be asked for a result of "
            f"that kind; pass torch.from_dlpack({name}) or cupy.from_dlpack({name})"
        )
    return Library(array, namespace)
