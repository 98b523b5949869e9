"""Arrays of other libraries: seen as NumPy arrays without a copy, and results made the same kind.

NumPy has no bfloat16, so its bits go to the core as uint16 and the fact beside them.
"""

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Operand(NamedTuple):
    """An array as the core takes it, and the way back to what the caller works with."""

    array: Array
    bfloats: bool
    wrap: Callable[[Array], Any]  # an array in the core's form of the dtype
    wrap_float: Callable[[Array], Any]  # one of float32 or float64


_CUDA = (2, 13)  # DLPack's numbers: memory of a CUDA device, and managed memory


def on_device(value: Any, stream: Any = None) -> bool:
    """Whether `value` is an array on a CUDA device; if not, TypeError if there is a `stream`."""
    if not isinstance(value, (np.ndarray, np.generic)) and _has_device(value):
        return True
    if stream is not None:
        raise TypeError("stream is for logits on a CUDA device, and these aren't; leave it out")
    return False


def _has_device(value: Any) -> bool:
    ask = getattr(value, "__dlpack_device__", None)
    # torch knows sooner without DLPack
    if ask is None or getattr(value, "is_cuda", True) is False:
        return False
    try:
        return ask()[0] in _CUDA
    except (AttributeError, BufferError, RuntimeError, TypeError, ValueError):
        return False  # traced, sharded or without memory: `operand` has words for it


def operand(value: Any, name: str, *, writable: bool = False) -> Operand | None:
    """See `value` as an `Operand`; None for what is no array of any library known."""
    if isinstance(value, np.ndarray):
        return _from_numpy(np.asarray(value))
    library = type(value).__module__.partition(".")[0]
    if library == "torch" and hasattr(value, "requires_grad"):
        return _from_torch(value, name, writable)
    if library in ("jax", "jaxlib") and hasattr(value, "__array_namespace__"):
        return _from_jax(value, name, writable)
    if hasattr(value, "__dlpack__") and not isinstance(value, np.generic):
        return _from_dlpack(value, name, writable)
    return None


def _from_numpy(array: Array) -> Operand:
    dtype = array.dtype
    if dtype.name == "bfloat16" and dtype.itemsize == 2:
        return Operand(array.view(np.uint16), True, lambda result: result.view(dtype), _same)
    return Operand(array, False, _same, _same)


def _same(result: Array) -> Array:
    return result


def check_tensor(tensor: Any, name: str) -> None:
    """Refuse a tensor that needs autograd or has no plain memory."""
    if tensor.requires_grad:
        raise TypeError(
            f"{name} requires grad, and this function has no backward pass: pass {name}.detach(); "
            "to train with HCCS, take fastsoftmax.torch.HCCSSoftmax (the 'torch' extra)"
        )
    torch = sys.modules["torch"]
    if torch.autograd.forward_ad.unpack_dual(tensor).tangent is not None:
        raise TypeError(
            f"{name} has a tangent (forward-mode differentiation), which would be lost; pass its "
            f"primal, torch.autograd.forward_ad.unpack_dual({name}).primal"
        )
    if tensor.layout is not torch.strided:
        raise TypeError(f"{name} is a sparse tensor; pass {name}.to_dense()")


def count_write(out: Any) -> None:
    """Tell autograd that `out`, if it is a tensor, was written to by what torch can't see.

    A backward pass that has saved it would go on with wrong numbers, where torch raises.
    """
    tensor = getattr(sys.modules.get("torch"), "Tensor", ())
    if isinstance(out, tensor) and not out.is_inference():  # those have no count
        sys.modules["torch"].autograd.graph.increment_version(out)


def _from_torch(tensor: Any, name: str, writable: bool) -> Operand:
    torch = sys.modules["torch"]
    check_tensor(tensor, name)
    if tensor.device.type != "cpu":
        raise TypeError(
            f"{name} is a tensor on {tensor.device}; kernels run on the CPU, or on the CUDA device "
            f"that all arrays are on: pass {name}.cpu()"
        )
    if tensor.is_conj() or tensor.is_neg():
        if writable:  # resolving makes a copy
            raise TypeError(f"{name} is a view that negates, which can't be written through")
        tensor = tensor.resolve_conj().resolve_neg()
    if tensor.dtype is torch.bfloat16:
        words = tensor.view(torch.int16).numpy().view(np.uint16)
        return Operand(
            words,
            True,
            lambda result: torch.from_numpy(result.view(np.int16)).view(torch.bfloat16),
            torch.from_numpy,
        )
    return Operand(tensor.numpy(), False, torch.from_numpy, torch.from_numpy)


def _from_jax(array: Any, name: str, writable: bool) -> Operand:
    jax = sys.modules["jax"]
    if isinstance(array, jax.core.Tracer):
        raise TypeError(
            f"{name} is traced by JAX (jit, grad or vmap), which can't see into fastsoftmax; call "
            "it outside, or through jax.pure_callback"
        )
    if writable:
        raise TypeError(f"{name} is a JAX array, which can't be written; leave {name} out")
    if {device.platform for device in array.devices()} != {"cpu"}:
        raise TypeError(f"{name} isn't on the CPU; pass jax.device_get({name})")
    seen = _from_numpy(np.asarray(array))
    return seen._replace(
        wrap=lambda result: jax.numpy.asarray(seen.wrap(result)), wrap_float=jax.numpy.asarray
    )


def _from_dlpack(value: Any, name: str, writable: bool) -> Operand:
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    namespace = getattr(value, "__array_namespace__", lambda: None)()
    if namespace is None or not hasattr(namespace, "from_dlpack"):
        raise TypeError(
            f"{name} is a {kind}, whose library can't be asked for a result of that kind; pass "
            f"np.from_dlpack({name})"
        )
    try:
        array = np.from_dlpack(value)
    except (BufferError, RuntimeError, TypeError) as error:
        raise TypeError(f"{name} is a {kind} that NumPy can't see as an array: {error}") from None
    if writable and not array.flags.writeable:
        raise ValueError(f"{name} is read-only; pass an array that can be written")
    return Operand(array, False, namespace.from_dlpack, namespace.from_dlpack)
