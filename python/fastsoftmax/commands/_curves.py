"""Probability curves of a broad and a focused head, as Figure 2 of arXiv 2604.02292 shows them."""

import os
from os import PathLike
from typing import Any

import numpy as np

from fastsoftmax import hccs, reference
from fastsoftmax._files.replacing import replacing
from fastsoftmax.hccs._steps import steps


def require_matplotlib() -> None:
    """Say what to install before any work is done in vain."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ValueError(
            f"--picture needs matplotlib ({error}): pip install 'fastsoftmax[bench]'"
        ) from None


def draw(path: str | PathLike[str], x: Any, mask: Any, params: hccs.Params) -> None:
    """Draw mean probabilities against rank: float softmax beside HCCS of the same logits.

    x is [heads..., rows, n]; the ranks are those of the float softmax. The broad head is the one
    of the largest mean entropy, the focused one that of the smallest.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    logits = np.asarray(x, dtype=np.float64)
    exact = reference.online(logits, mask=mask)
    integer = _hccs(logits, mask, params)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.sum(np.where(exact > 0, exact * np.log(exact), 0), axis=-1).mean(axis=-1)
    figure = Figure(figsize=(9, 4), layout="constrained")
    FigureCanvasAgg(figure)
    heads = {"broad": np.argmax(entropy), "focused": np.argmin(entropy)}
    for axes, (kind, flat) in zip(figure.subplots(1, 2), heads.items(), strict=True):
        head = np.unravel_index(flat, entropy.shape)
        order = np.argsort(-exact[head], axis=-1)
        ranks = np.arange(1, x.shape[-1] + 1)
        for name, p in (("softmax, float", exact), (f"HCCS, {params.mode}", integer)):
            mean = np.take_along_axis(p[head], order, axis=-1).mean(axis=0)
            axes.plot(ranks, np.where(mean > 0, mean, np.nan), label=name)
        axes.set(xscale="log", yscale="log", xlabel="rank of the key", ylabel="mean probability")
        axes.set_title(f"{kind}: head {'.'.join(str(int(i)) for i in head)}, "
                       f"entropy {entropy[head]:.2f} nats")  # fmt: skip
        axes.grid(alpha=0.3)
        axes.legend()
    # a format by the name's ending, as matplotlib has it for names
    form = os.path.splitext(path)[1].removeprefix(".")
    with replacing(path) as file:
        figure.savefig(file, format=form or None)


def _hccs(logits: Any, mask: Any, params: hccs.Params) -> Any:
    """Float s / Z of each head, which all modes round; those of the paper for one length only."""
    heads = logits.shape[:-2]
    scale, *integers = (
        np.broadcast_to(each, heads) for each in (params.scale, params.B, params.S, params.Dmax)
    )
    unmasked = np.ones(logits.shape, bool) if mask is None else np.broadcast_to(mask, logits.shape)
    unmasked = unmasked & ~np.isneginf(logits)
    top = np.max(logits, axis=-1, keepdims=True, initial=-np.inf, where=unmasked)
    b, s, dmax = (each[..., np.newaxis, np.newaxis] for each in integers)
    d = np.where(unmasked, steps(top, logits, scale[..., np.newaxis, np.newaxis]), 0)
    d = np.minimum(d, dmax)
    score = np.where(unmasked, b - s * d, 0)
    return score / np.maximum(score.sum(axis=-1, keepdims=True), 1)
