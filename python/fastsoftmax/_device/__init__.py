"""Arrays that lie on a CUDA device: checked, and given to the extension module `_cuda`."""
