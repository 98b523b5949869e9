"""Peers that are a function of arrays: the std::exp loop, NumPy, SciPy, PyTorch, JAX."""

import numpy as np
from lib import baselines
from lib.data_sets import Float32

from peers.prepared_call import Bound, keeping, library


def std_exp(x: Float32, out: Float32, threads: int) -> Bound:
    """Tie the loop that everybody writes first; it knows no threads."""
    return Bound(baselines.tie_softmax(x, out), lambda: out)


def numpy_softmax(x: Float32, out: Float32, threads: int) -> Bound:
    """Tie three calls of NumPy, which have no threads, with as few temporaries as they need."""

    def run() -> None:
        np.subtract(x, x.max(axis=-1, keepdims=True), out=out)
        np.exp(out, out=out)
        np.divide(out, out.sum(axis=-1, keepdims=True), out=out)

    return Bound(run, lambda: out)


def scipy_softmax(x: Float32, out: Float32, threads: int) -> Bound:
    """Tie scipy.special.softmax, which has neither out= nor threads."""
    softmax = library("scipy.special").softmax
    return keeping(lambda: softmax(x, axis=-1))


def scipy_logsumexp(x: Float32, threads: int) -> Bound:
    """Tie scipy.special.logsumexp."""
    logsumexp = library("scipy.special").logsumexp
    return keeping(lambda: logsumexp(x, axis=-1))


def torch_softmax(x: Float32, out: Float32, threads: int) -> Bound:
    """Tie torch.softmax(out=) to tensors over the memory of both arrays."""
    torch = library("torch")
    torch.set_num_threads(threads)
    softmax, logits, result = torch.softmax, torch.from_numpy(x), torch.from_numpy(out)
    return Bound(lambda: softmax(logits, -1, out=result), lambda: out)


def torch_logsumexp(x: Float32, threads: int) -> Bound:
    """Tie torch.logsumexp(out=) to a tensor over the memory of x."""
    torch = library("torch")
    torch.set_num_threads(threads)
    out = np.empty(x.shape[:-1], dtype=x.dtype)
    logsumexp, logits, result = torch.logsumexp, torch.from_numpy(x), torch.from_numpy(out)
    return Bound(lambda: logsumexp(logits, -1, out=result), lambda: out)


def torch_compiled_softmax(x: Float32, out: Float32, threads: int) -> Bound:
    """Tie what torch.compile makes of torch.softmax; it needs a C++ compiler, and seconds."""
    torch = library("torch")
    torch.set_num_threads(threads)
    compiled = torch.compile(lambda rows: torch.softmax(rows, -1), dynamic=False)
    logits = torch.from_numpy(x)
    return keeping(lambda: compiled(logits))


def torch_compiled_logsumexp(x: Float32, threads: int) -> Bound:
    """Tie what torch.compile makes of torch.logsumexp."""
    torch = library("torch")
    torch.set_num_threads(threads)
    compiled = torch.compile(lambda rows: torch.logsumexp(rows, -1), dynamic=False)
    logits = torch.from_numpy(x)
    return keeping(lambda: compiled(logits))


def jax_softmax(x: Float32, out: Float32, threads: int) -> Bound:
    """Tie jax.jit(jax.nn.softmax) to a device array; it returns a new one each time.

    Donating the input would only save that allocation, and takes a fresh input for every call.
    XLA takes its threads from the environment, which run.py sets.
    """
    jax = library("jax")
    softmax, logits = jax.jit(lambda rows: jax.nn.softmax(rows, axis=-1)), jax.device_put(x)
    return keeping(lambda: softmax(logits).block_until_ready())


def jax_logsumexp(x: Float32, threads: int) -> Bound:
    """Tie jax.jit(jax.nn.logsumexp) to a device array."""
    jax = library("jax")
    logsumexp, logits = jax.jit(lambda rows: jax.nn.logsumexp(rows, axis=-1)), jax.device_put(x)
    return keeping(lambda: logsumexp(logits).block_until_ready())
