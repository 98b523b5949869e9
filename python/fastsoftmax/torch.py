"""HCCS for training in PyTorch: integers forward, as they will be deployed, and a gradient.

The extra ``fastsoftmax[torch]`` brings PyTorch; nothing else in the package imports this module.
"""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from fastsoftmax import hccs
from fastsoftmax._inputs.int8 import for_rows
from fastsoftmax.hccs._softmax import heads_for

try:
    import torch
    from torch.autograd.function import once_differentiable
except ModuleNotFoundError as missing:
    raise ImportError(
        f"fastsoftmax.torch needs PyTorch ({missing}): pip install 'fastsoftmax[torch]'"
    ) from missing

__all__ = ["HCCSSoftmax"]

#: The distances that int8 logits can have end here.
FARTHEST = 255


class HCCSSoftmax(torch.nn.Module):
    """Softmax over the last dimension by HCCS, for retraining a model that will run with it.

    Forward, the distance from the maximum is quantised as in `hccs.softmax_float`, and the
    integers of the compiled kernel of `mode` are divided by their full scale: the model meets the
    very rounding, flooring and saturation that it will meet when deployed.

    Backward, rounding passes gradients straight through, and the rest is the exact Jacobian of
    ``p_j = s_j / Z`` with ``s = B - S*min(d, Dmax)``, ``d = (max - x) / scale``::

        dL/ds_j = (g_j - sum_i g_i p_i) / Z         dL/dx_j = S/scale * dL/ds_j where d_j < Dmax

    and the maximum gets minus the sum of these, in equal parts where it is attained repeatedly.

    Parameters
    ----------
    params : hccs.Params
        Frozen: calibrated beforehand, kept in their own file, and not part of the `state_dict`, so
        that a checkpoint trained with exact softmax loads. Shape () or one that broadcasts to the
        dimensions of the logits without their rows and the last: [heads] for
        [batch, heads, rows, n].
    mode : str, optional
        As in `hccs.softmax`; by default that of `params`.
    out_dtype : dtype, optional
        int16 or uint8: the integers to train through; by default what the mode gives.

    Raises
    ------
    ImportError
        When `fastsoftmax.torch` is imported without PyTorch.
    TypeError, ValueError
        When called: for logits that aren't a floating tensor of at least one dimension, and as
        `hccs.softmax` for masks, modes, shapes and row lengths.

    Notes
    -----
    The forward pass equals ``hccs.softmax_float(x, params, mode=..., out_dtype=...) / full`` bit
    for bit, in the dtype of `x`; half inputs are quantised from their float32 values. Positions
    masked out and those of -inf are 0. A row without an unmasked position is 0 and has no gradient;
    one with NaN or +inf is NaN. Kernels run on the CPU: tensors elsewhere pay for a copy of their
    int8 distances there and of the results back. There is no second derivative. A call keeps no
    state, so activation checkpointing may repeat it.

    References
    ----------
    arXiv 2604.02292.

    Examples
    --------
    >>> import torch
    >>> from fastsoftmax import hccs
    >>> head = hccs.Params(scale=0.1, B=600, S=9, Dmax=63, n=3)
    >>> x = torch.tensor([1.0, 0.0, -2.0], requires_grad=True)
    >>> p = HCCSSoftmax(head)(x)
    >>> [round(value, 3) for value in p.tolist()]
    [0.417, 0.354, 0.229]
    >>> p[0].backward()
    >>> [round(value, 4) for value in x.grad.tolist()]
    [0.0521, -0.026, -0.026]
    """

    def __init__(
        self, params: hccs.Params, *, mode: str | None = None, out_dtype: DTypeLike | None = None
    ) -> None:
        super().__init__()
        if not isinstance(params, hccs.Params):
            raise TypeError(f"params must be hccs.Params, not {type(params).__name__}")
        self.params = params
        self.mode = params.mode if mode is None else mode
        self.out_dtype = None if out_dtype is None else np.dtype(out_dtype)

    def extra_repr(self) -> str:
        """Name the mode and the heads."""
        return f"heads={self.params.shape}, mode={self.mode!r}, n={self.params.n}"

    def forward(self, x: Any, mask: Any = None) -> Any:
        """Weights of the logits `x`.

        Parameters
        ----------
        x : tensor of any floating dtype
            Logits in nats.
        mask : tensor, optional
            Broadcasts to the shape of `x`. Boolean: True where a position takes part. Floating:
            added (and given a gradient); at or below half of ``finfo.min`` it masks out.

        Returns
        -------
        tensor
            Shape and dtype of `x`.
        """
        if not isinstance(x, torch.Tensor) or not x.is_floating_point() or x.ndim == 0:
            raise TypeError(
                "x must be a floating tensor of at least one dimension, not "
                + (f"{x.dtype} of {x.ndim}" if isinstance(x, torch.Tensor) else type(x).__name__)
            )
        rows = x if x.dtype in (torch.float32, torch.float64) else x.float()
        unmasked = torch.ones_like(x, dtype=torch.bool)
        if mask is not None:
            rows, unmasked = _masked(rows, mask)
        return _Hccs.apply(rows, unmasked, self).to(x.dtype)


def _masked(x: Any, mask: Any) -> tuple[Any, Any]:
    """Logits with an additive mask added, and where they take part."""
    if not isinstance(mask, torch.Tensor) or not (
        mask.dtype is torch.bool or mask.is_floating_point()
    ):
        kind = mask.dtype if isinstance(mask, torch.Tensor) else type(mask).__name__
        raise TypeError(f"mask must be a tensor of bool, True where to keep, or floating: {kind}")
    try:
        mask = mask.expand(x.shape)
    except RuntimeError:
        raise ValueError(
            f"mask has shape {tuple(mask.shape)}, which doesn't broadcast to that of x, "
            f"{tuple(x.shape)}"
        ) from None
    if mask.dtype is torch.bool:
        return x, mask
    unmasked = mask > torch.finfo(mask.dtype).min / 2
    return x + torch.where(unmasked, mask, 0), unmasked


def _forward(ctx: Any, x: Any, unmasked: Any, layer: HCCSSoftmax) -> Any:
    params, device = layer.params, x.device
    heads = heads_for(params, layer.mode, x.shape[-1])
    for_rows(heads, tuple(x.shape[:-1]), "params", (3,))  # says so if they don't broadcast
    scale, B, S, Dmax = (
        _per_row(value, device) for value in (params.scale, params.B, params.S, params.Dmax)
    )
    unmasked = unmasked & ~torch.isneginf(x)
    m = _maximum(x, unmasked)
    lost = torch.isnan(m) | torch.isposinf(m)
    # as hccs.softmax_float does it, to the bit
    d = torch.round((m - torch.where(unmasked, x, m)).to(torch.float64) / scale)
    d = torch.nan_to_num(d).clamp(0, FARTHEST).to(torch.int32)
    integers = hccs.softmax(
        (127 - d).to(torch.int8).cpu().numpy(),
        params,
        mode=layer.mode,
        out_dtype=layer.out_dtype,
        mask=unmasked.cpu().numpy(),
    )
    weights = torch.from_numpy(integers).to(device).to(x.dtype) / np.iinfo(integers.dtype).max
    s = torch.where(unmasked, B - S * torch.minimum(d, Dmax), 0).to(torch.float64)
    Z = s.sum(-1, keepdim=True).clamp(min=1)
    top = unmasked & (x == m)
    ctx.save_for_backward(
        (s / Z).to(x.dtype), unmasked & (d < Dmax), top, (S / scale / Z).to(x.dtype)
    )
    return weights.masked_fill(lost, float("nan"))


def _backward(ctx: Any, grad: Any) -> tuple[Any, None, None]:
    p, sloped, top, slope = ctx.saved_tensors
    g = torch.where(sloped, slope * (grad - (grad * p).sum(-1, keepdim=True)), 0)
    share = g.sum(-1, keepdim=True) / top.sum(-1, keepdim=True).clamp(min=1)
    return g - share * top, None, None


class _Hccs(torch.autograd.Function):
    """What autograd calls; the layer has the parameters."""

    forward = staticmethod(_forward)
    backward = staticmethod(once_differentiable(_backward))


def _maximum(x: Any, unmasked: Any) -> Any:
    """Maxima of the rows among the unmasked positions; 0 where there is none."""
    if x.shape[-1] == 0:
        return x.new_zeros((*x.shape[:-1], 1))
    m = torch.where(unmasked, x, -torch.inf).amax(-1, keepdim=True)
    return torch.where(torch.isneginf(m), 0, m)


def _per_row(value: Any, device: Any) -> Any:
    """Parameters of heads as those of rows, whose last dimension shares them."""
    tensor = torch.from_numpy(value.copy()).to(device)
    return tensor[..., None, None] if tensor.ndim else tensor
