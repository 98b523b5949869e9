"""The extension module for CUDA: whether it is there, what it has, and what it runs on."""

from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1)
def built() -> Any:
    """Return the extension module, or None where the package was built without it."""
    try:
        from fastsoftmax import _cuda
    except ImportError:
        return None
    return _cuda


@lru_cache(maxsize=1)
def usable() -> Any:
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


def kernels() -> list[dict[str, Any]]:
    """Entries of the table for CUDA; none where it wasn't built."""
    cuda = built()
    if cuda is None:
        return []
    available = bool(cuda.devices()[0])
    return [{**entry, "available": available, "device": cuda.isa} for entry in cuda.kernels()]


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
