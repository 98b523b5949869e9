"""The rows of the registry that take NumPy arrays; those of other devices: tests/test_device.py."""

import fastsoftmax as fs


def cpu_kernels() -> list[fs.Kernel]:
    """Rows of this machine's CPU."""
    return [k for k in fs.kernels() if k.device == "cpu"]
