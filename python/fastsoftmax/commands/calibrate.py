"""Calibrate HCCS from stored logits.

The .npz file has one array of float, [layers, heads, samples, keys] or [heads, samples, keys], in
nats; padding is -inf, or False in a boolean array named "mask".
"""

import argparse
import math
import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from fastsoftmax import hccs
from fastsoftmax._files.npz import opened
from fastsoftmax.commands import _curves
from fastsoftmax.hccs._calibration import GRANULARITIES, divergences, shared_stats
from fastsoftmax.hccs._params import PROFILES, WIDE, paper_modes

NAME = "calibrate"
HELP = "logits to parameters of HCCS"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the files and what `hccs.calibrate` takes."""
    parser.add_argument("logits", help="the .npz file")
    parser.add_argument("-o", "--output", required=True, help="the JSON file to write")
    parser.add_argument("--n", type=int, help="length of the rows; by default that of the logits")
    parser.add_argument("--profile", choices=PROFILES, default=WIDE)
    parser.add_argument("--mode", choices=[WIDE, *paper_modes()], default=WIDE)
    parser.add_argument("--granularity", choices=GRANULARITIES, default="head")
    parser.add_argument(
        "--scale",
        type=float,
        help="nats a step; by default from the range. For int8 logits "
        "without a zero point: the largest magnitude / 127",
    )
    parser.add_argument("--picture", help="also draw a broad and a focused head to this file")


def run(arguments: argparse.Namespace) -> None:
    """Calibrate, print a summary and write the parameters."""
    if arguments.picture:
        _curves.require_matplotlib()
    x, mask = read(arguments.logits)
    scale = arguments.scale
    if scale is None and arguments.granularity != "head":
        axis = x.ndim - 3 if arguments.granularity == "layer" else None
        scale = _shared_scale(x, mask, axis)
    stats = hccs.HeadStats(scale)
    print(f"{os.fspath(arguments.logits)}: {x.shape}", file=sys.stderr)
    stats.update(x, mask, progress=_told("statistics"))
    n = x.shape[-1] if arguments.n is None else arguments.n
    choice = (arguments.profile, arguments.mode, arguments.granularity)
    params = hccs.calibrate(stats, n, *choice, progress=_told("search"))
    params.save(arguments.output)
    summarise(shared_stats(stats, arguments.granularity), params)
    if arguments.picture:
        _curves.draw(arguments.picture, x, mask, params)


def _told(what: str) -> Callable[[int, int], None]:
    """Say to standard error how far `what` has come, ten times or fewer."""

    def progress(done: int, heads: int) -> None:
        if done * 10 // heads > (done - 1) * 10 // heads:
            print(f"{what}: {done} of {heads}", file=sys.stderr)

    return progress


def read(path: str) -> tuple[Any, Any]:
    """Logits and the mask, which may be None."""
    with opened(path, ".npz file of logits") as file:
        names = [name for name in file.names if name != "mask"]
        if len(names) != 1:
            raise ValueError(f"it must have one array of logits; it has: {', '.join(names)}")
        headers = file.headers(*file.names)
        header = headers[names[0]]
        if header.dtype.kind != "f" or len(header.shape) not in (3, 4):
            raise ValueError(
                f"logits are {header.dtype} of shape {header.shape}; wanted floats, "
                "[layers,] heads, samples, keys"
            )
        if 0 in header.shape:
            raise ValueError(f"logits have shape {header.shape}: there is nothing in them")
        mask = None
        if "mask" in headers:
            fits = math.prod(headers["mask"].shape) <= math.prod(header.shape)
            if headers["mask"].dtype.kind != "b" or not fits:
                raise ValueError("mask must be boolean, of no more elements than the logits")
            mask = file.array("mask")
        x = file.array(names[0])
    return x, mask


def _shared_scale(x: Any, mask: Any, axis: int | None) -> Any:
    """One scale for the heads along an axis, or for all."""
    stats = hccs.HeadStats()
    stats.update(x, mask)
    assert stats.scale is not None
    return np.broadcast_to(stats.scale.max(axis=axis, keepdims=True), stats.shape)


def summarise(stats: hccs.HeadStats, params: hccs.Params) -> None:
    """Print a line for each set of parameters."""
    found = divergences(stats, params)
    print(f"{'head':12} {'KL, nats':>9} {'knee, nats':>10} {'floor/B':>9}")
    for head in np.ndindex(stats.shape):
        scale = float(np.broadcast_to(params.scale, stats.shape)[head])
        dmax = int(np.broadcast_to(params.Dmax, stats.shape)[head])
        floor = np.broadcast_to(params.floor / params.B, stats.shape)[head]
        name = ".".join(map(str, head)) or "all"
        print(f"{name:12} {found[head]:9.4f} {scale * dmax:10.2f} {floor:9.5f}")
    print(f"{'mean':12} {found.mean():9.4f}")
