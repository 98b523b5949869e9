"""Heinsen attention in PyTorch: forward by the compiled kernels, and a gradient.

The extra ``fastsoftmax[torch]`` brings PyTorch; nothing else in the package imports this module.
"""

from typing import Any

from fastsoftmax.heinsen._attention import attention
from fastsoftmax.heinsen._layout import LOWEST, by_feature, panels, weights
from fastsoftmax.heinsen._state import State

try:
    import torch
except ModuleNotFoundError as missing:
    raise ImportError(
        f"fastsoftmax.heinsen.torch needs PyTorch ({missing}): pip install 'fastsoftmax[torch]'"
    ) from missing

from fastsoftmax.heinsen import _torch_gradient, _torch_log_gradient

__all__ = ["Attention"]


class Attention(torch.nn.Module):
    """Softmax attention of exp features with constant cost per token, for training.

    Forward it is `heinsen.attention`. Backward it is the gradient in closed form, from the first
    chunk of tokens to the last and back again: beside arguments and results it takes the memory
    of two states and of a chunk, so memory grows with n and never with n*d_k*d_v or n^2. It has
    no parameters; project to q, k and v before it. exp(q) and exp(k) need no scale.

    Parameters
    ----------
    is_causal : bool
        Query t sees tokens 0..t; otherwise every query sees all.
    log_values : bool
        The third argument is log v, anywhere in +-1000, and the result log y, as those of the
        paper's `LogAttention`, whose place ``Attention(is_causal, log_values=True)`` takes. It
        costs 7 to 22 times as much forward, and backward a chunk takes the memory of 16 states.

    Attributes
    ----------
    state : heinsen.State or None
        What the last call left behind. What is done to it later doesn't change gradients.

    Raises
    ------
    ImportError
        When `fastsoftmax.heinsen.torch` is imported without PyTorch.

    Notes
    -----
    Activation checkpointing (`torch.utils.checkpoint`, both forms) calls the module once more
    during the backward pass. Such a call leaves `state` alone. It cannot find the context that the
    first one had, so with `using_prev_context` it raises RuntimeError: keep that call out of what
    is checkpointed. `torch.func` transforms and forward-mode derivatives raise PyTorch's own error
    and leave `state` alone, too.

    Errors of answers and the meaning of -inf, NaN and +inf are those of `heinsen.State`; an answer
    that is NaN has no useful gradient. Gradients are exact for q and k anywhere in +-1e4 but for
    roundings in the dtype of the tensors. A second derivative exists; while it is recorded, memory
    grows by two states for each chunk (64 tokens, with `log_values` 16).

    Kernels run on the CPU: forward, tensors elsewhere pay for copies there and back. Backward runs
    where they are.

    References
    ----------
    Heinsen, "Softmax Attention with Constant Cost per Token", arXiv 2404.05843.

    Examples
    --------
    >>> import torch
    >>> q, k = torch.zeros(3, 2), torch.zeros(3, 2)
    >>> v = torch.tensor([[1.0], [2.0], [6.0]], requires_grad=True)
    >>> y = Attention()(q, k, v)
    >>> y.flatten().tolist()
    [1.0, 1.5, 3.0]
    >>> y[2].backward()
    >>> [round(value, 4) for value in v.grad.flatten().tolist()]
    [0.3333, 0.3333, 0.3333]
    """

    def __init__(self, is_causal: bool = True, *, log_values: bool = False) -> None:
        super().__init__()
        self.is_causal, self.log_values = is_causal, log_values
        self.state: State | None = None

    def extra_repr(self) -> str:
        """Name the order and the kind of values."""
        return f"is_causal={self.is_causal}, log_values={self.log_values}"

    def forward(self, q: Any, k: Any, v: Any, using_prev_context: bool = False) -> Any:
        """Mix values.

        Parameters
        ----------
        q, k, v : tensor
            ``[*batch, n_q, d_k]``, ``[*batch, n, d_k]``, ``[*batch, n, d_v]``, of one floating
            dtype; halves are computed in float32. Batches broadcast. With `log_values`, `v` is
            log v.
        using_prev_context : bool
            See also all tokens of the calls before, up to the last one without it. They are
            constants: no gradient reaches them.

        Returns
        -------
        tensor
            ``[*batch, n_q, d_v]`` in the dtype of `q`; with `log_values`, log y.

        Raises
        ------
        TypeError
            For anything but floating tensors of one dtype.
        ValueError
            For shapes that don't fit together, or if there is no context or one of other shape.
        RuntimeError
            With `using_prev_context` when called during a backward pass, as checkpointing does.
        """
        for name, tensor in (("q", q), ("k", k), ("v", v)):
            _check(name, tensor, q.dtype if isinstance(q, torch.Tensor) else None)
        again = _in_backward()
        computed = q.dtype in (torch.float32, torch.float64)
        wide = (q, k, v) if computed else (q.float(), k.float(), v.float())
        before = self._context(again) if using_prev_context else None
        y, after = _Attention.apply(*_broadcast(*wide), self, before)
        y = y.to(q.dtype)
        if not again:  # and only now that nothing can fail
            self.state = after
        return y

    def _context(self, again: bool) -> State:
        """Return a copy of the state, which the caller may change before the gradient is taken."""
        if again:
            raise RuntimeError(
                "using_prev_context=True in a call during a backward pass: checkpointing computes "
                "it anew, but the state has moved on and the gradient would be wrong; call this "
                "module outside of torch.utils.checkpoint"
            )
        if self.state is None:
            raise ValueError(
                "using_prev_context=True, but there was no call before this one; make the first "
                "one without it"
            )
        return self.state.copy()


def _in_backward() -> bool:
    """Whether autograd is on its way back in this thread: what it calls is a recomputation."""
    return bool(torch._C._current_graph_task_id() != -1)


def _check(name: str, tensor: Any, dtype: Any) -> None:
    if not isinstance(tensor, torch.Tensor) or not tensor.is_floating_point():
        kind = tensor.dtype if isinstance(tensor, torch.Tensor) else type(tensor).__name__
        raise TypeError(f"{name} must be a floating tensor, not {kind}")
    if tensor.dtype != dtype:
        raise TypeError(f"q is {dtype}, {name} is {tensor.dtype}; convert one of them")
    if tensor.ndim < 2:
        raise ValueError(f"{name} has shape {tuple(tensor.shape)}; wanted [*batch, n, width]")


def _broadcast(q: Any, k: Any, v: Any) -> tuple[Any, ...]:
    shapes = [tuple(tensor.shape) for tensor in (q, k, v)]
    try:
        batch = torch.broadcast_shapes(*(shape[:-2] for shape in shapes))
    except RuntimeError:
        raise ValueError(
            "the batches of q {}, k {} and v {} don't broadcast".format(*shapes)
        ) from None
    return tuple(tensor.expand(*batch, *tensor.shape[-2:]) for tensor in (q, k, v))


def _sums(before: State | None, q: Any, v: Any) -> _torch_gradient.Sums:
    """Return what a state has seen, as `_torch_gradient` wants it."""
    m, A, z = _parts(before, q, v, log_values=False)
    return _torch_gradient.Sums(m[..., None, :], torch.cat([A, z[..., None]], -1).to(v.dtype))


def _log_sums(before: State | None, q: Any, v: Any) -> _torch_log_gradient.LogSums:
    """Return what a state of logarithms has seen, as `_torch_log_gradient` wants it."""
    m, M, S, z = _parts(before, q, v, log_values=True)
    m, A = torch.cat([M, m[..., None]], -1), torch.cat([S, z[..., None]], -1).to(v.dtype)
    return _torch_log_gradient.LogSums(m[..., None, :, :], A[..., None, :, :])


def _parts(before: State | None, q: Any, v: Any, log_values: bool) -> list[Any]:
    """Return m and z [*batch, d_k], and between them A, or M and S, [*batch, d_k, d_v]: float64."""
    batch, d_k, d_v = tuple(q.shape[:-2]), q.shape[-1], v.shape[-1]
    planes = 2 if log_values else 1
    if before is None:
        shapes = [(*batch, d_k), *[(*batch, d_k, d_v)] * planes, (*batch, d_k)]
        parts = [v.new_zeros(shape, dtype=torch.float64) for shape in shapes]
        for maxima in parts[:planes]:
            maxima.fill_(LOWEST)
        return parts
    data = before._settled()
    m, z = (part[:, :d_k].reshape(*batch, d_k) for part in weights(data, d_k))
    mixed = (by_feature(part, d_k, d_v) for part in panels(data, d_k, d_v, log_values)[:planes])
    arrays = [m, *(part.reshape(*batch, d_k, d_v) for part in mixed), z]
    return [torch.from_numpy(array).to(v.device).double() for array in arrays]


class _Attention(torch.autograd.Function):
    """What autograd calls; gives the answers and the state after them, which the module keeps."""

    @staticmethod
    def forward(ctx: Any, q: Any, k: Any, v: Any, module: Attention, before: State | None) -> Any:
        queries, keys, values = (tensor.detach().cpu().numpy() for tensor in (q, k, v))
        logs = module.log_values
        answers, after = attention(
            queries,
            keys,
            **{"log_v" if logs else "v": values},
            log_output=logs,
            causal=module.is_causal,
            state=before,
            return_state=True,
        )
        y = torch.from_numpy(answers).to(q.device)
        ctx.save_for_backward(q, k, v, y)
        ctx.before, ctx.causal, ctx.logs = before, module.is_causal, logs
        return y, after

    @staticmethod
    def backward(ctx: Any, g: Any, _after: None) -> tuple[Any, ...]:
        q, k, v, y = ctx.saved_tensors
        tokens = _torch_gradient.Tokens(q, k, v, y, g)
        if ctx.logs:
            log_rule = _torch_log_gradient.causal if ctx.causal else _torch_log_gradient.joint
            return *log_rule(tokens, _log_sums(ctx.before, q, v)), None, None
        rule = _torch_gradient.causal if ctx.causal else _torch_gradient.joint
        return *rule(tokens, _sums(ctx.before, q, v)), None, None
