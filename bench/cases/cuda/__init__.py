"""Kernels on a CUDA device, beside torch's operations and a copy of the same data."""
