"""The kernels of the registry that take NumPy arrays; those of CUDA: tests/device."""

import fastsoftmax as fs


def cpu_kernels() -> list[fs.Kernel]:
    """Kernels of this machine's CPU."""
    return [k for k in fs.kernels() if k.device == "cpu"]
