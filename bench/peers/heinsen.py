"""Heinsen attention as others write it: NumPy in chunks, the published log domain, a matmul.

All take q, k, v ``[heads, n, d]`` of float32; v > 0, as the published form wants log v.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from lib.data_sets import Float32

from peers.prepared_call import library

CHUNK = 64
Compute = Callable[[], Any]


@dataclass
class NumpyState:
    """The linear, max-shifted state of all heads: a running maximum, sums and mixed values."""

    m: Float32
    z: Float32
    A: Float32

    @classmethod
    def empty(cls, heads: int, d: int) -> "NumpyState":
        """Return what has seen nothing."""
        m = np.full((heads, d), -1e38, np.float32)
        return cls(m, np.zeros_like(m), np.zeros((heads, d, d), np.float32))

    def _rise(self, top: Float32) -> None:
        factor = np.exp(self.m - top)
        self.z *= factor
        self.A *= factor[:, :, None]
        self.m = top

    def chunk(self, q: Float32, k: Float32, v: Float32) -> Any:
        """Add a chunk of tokens and answer it: a masked product inside, the state before."""
        self._rise(np.maximum(self.m, k.max(axis=1)))
        p = np.exp(k - self.m[:, None])
        exponents = q + self.m[:, None]
        w = np.exp(exponents - exponents.max(axis=2, keepdims=True))
        scores = np.tril(w @ p.transpose(0, 2, 1))
        total = np.einsum("hti,hi->ht", w, self.z) + scores.sum(axis=2)
        y = (w @ self.A + scores @ v) / total[:, :, None]
        self.z += p.sum(axis=1)
        self.A += p.transpose(0, 2, 1) @ v
        return y

    def step(self, q: Float32, k: Float32, v: Float32) -> Any:
        """Add one token of each head, and answer it."""
        top = np.maximum(self.m, k)
        if np.any(top > self.m):
            self._rise(top)
        p = np.exp(k - self.m)
        self.z += p
        self.A += p[:, :, None] * v[:, None, :]
        exponents = q + self.m
        w = np.exp(exponents - exponents.max(axis=1, keepdims=True))
        return np.einsum("hi,hij->hj", w, self.A) / np.einsum("hi,hi->h", w, self.z)[:, None]


def numpy_chunked(q: Float32, k: Float32, v: Float32) -> Compute:
    """Tie a causal run in chunks of `CHUNK` tokens."""

    def run() -> Any:
        state, y = NumpyState.empty(len(q), q.shape[2]), np.empty_like(v)
        for t in range(0, q.shape[1], CHUNK):
            part = slice(t, t + CHUNK)
            y[:, part] = state.chunk(q[:, part], k[:, part], v[:, part])
        return y

    return run


def _tensors(*arrays: Float32) -> list[Any]:
    torch = library("torch")
    return [torch.from_numpy(array) for array in arrays]


def torch_log_domain(q: Float32, k: Float32, v: Float32) -> Compute:
    """Tie eq. 3 and 4 as the paper writes them: log-cumulative-sums over all of n d_k d_v."""
    torch = library("torch")
    qs, ks, log_v = _tensors(q, k, np.log(v))

    def run() -> Any:
        H_S = torch.logcumsumexp(ks[..., None] + log_v[..., None, :], dim=1)
        H_Z = torch.logcumsumexp(ks, dim=1)
        log_S = torch.logsumexp(qs[..., None] + H_S, dim=2)
        return torch.exp(log_S - torch.logsumexp(qs + H_Z, dim=2)[..., None])

    return run


def torch_quadratic(q: Float32, k: Float32, v: Float32) -> Compute:
    """Tie eq. 1: a masked n x n matrix of weights, times v."""
    torch = library("torch")
    qs, ks, vs = _tensors(q, k, v)

    def run() -> Any:
        w = torch.exp(qs - qs.amax(dim=2, keepdim=True))
        p = torch.exp(ks - ks.amax(dim=(1, 2), keepdim=True))
        scores = torch.tril(w @ p.transpose(1, 2))
        return scores @ vs / scores.sum(dim=2, keepdim=True)

    return run


def torch_log_step(q: Float32, k: Float32, v: Float32) -> Compute:
    """Tie eq. 5 and 6: one token of each head, q, k, v ``[heads, d]``, onto log states."""
    torch = library("torch")
    qs, ks, log_v = _tensors(q, k, np.log(v))
    held = [ks[:, :, None] + log_v[:, None, :], ks.clone()]

    def run() -> Any:
        held[0] = torch.logaddexp(held[0], ks[:, :, None] + log_v[:, None, :])
        held[1] = torch.logaddexp(held[1], ks)
        log_S = torch.logsumexp(qs[:, :, None] + held[0], dim=1)
        return torch.exp(log_S - torch.logsumexp(qs + held[1], dim=1)[:, None])

    return run


def torch_attention(q: Float32, k: Float32, v: Float32, *, causal: bool) -> Compute:
    """Tie ordinary attention, scaled_dot_product_attention."""
    torch = library("torch")
    qs, ks, vs = (tensor[None] for tensor in _tensors(q, k, v))
    attend = torch.nn.functional.scaled_dot_product_attention
    return lambda: attend(qs, ks, vs, is_causal=causal)


def torch_trouble(threads: int) -> str | None:
    """Say why PyTorch can't be a peer here; None if it can, which sets its threads."""
    try:
        library("torch").set_num_threads(threads)
    except ImportError as missing:
        return str(missing)
    return None
