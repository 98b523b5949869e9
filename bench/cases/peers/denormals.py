"""Rows whose results, or the weights on the way there, are denormal: slow on most CPUs.

weights: one logit is 0 and the others lie 88 to 103 below, where exp is denormal in float32.
quotients: half of the row is 0 and half 84 to 87 below: exp is normal, and over the sum it is not.
"""

from collections.abc import Callable
from functools import partial

import fastsoftmax as fs
import numpy as np
from lib import targets
from lib.case import Progress
from lib.data_sets import Float32, Shape, normal
from lib.report import Table, show
from peers import race
from peers.ground import Ground, member
from peers.race import SIGMA

SHAPES: tuple[Shape, ...] = ((1024, 128), (64, 4096))
QUICK_SHAPES = SHAPES[:1]


def weights(shape: Shape) -> Float32:
    """Draw rows with denormal weights."""
    x = np.random.default_rng(list(shape)).uniform(-103.0, -88.0, shape).astype(np.float32)
    x[:, shape[1] // 2] = 0.0
    return x


def quotients(shape: Shape) -> Float32:
    """Draw rows with normal weights whose quotients are denormal."""
    x = np.random.default_rng(list(shape)).uniform(-87.0, -84.0, shape).astype(np.float32)
    x[:, ::2] = 0.0
    return x


KINDS: dict[str, Callable[[Shape], Float32]] = {"weights": weights, "quotients": quotients}


def _run(ground: Ground, progress: Progress) -> list[Table]:
    """Time each row of both kinds over normal ones."""
    kernels, options, limit = ground.kernels("online"), ground.options, ground.wanted.denormal
    if not kernels:
        return []
    peers, shapes = ground.surveyed.present, QUICK_SHAPES if options.quick else SHAPES
    progress.expect(len(shapes))
    table = Table(
        "rows in the denormal window",
        ["rows", "denormal", "softmax", "ns/element", "of normal rows", "ratio", "target", ""],
        note="ratio: time over that of rows N(0, 2^2) of the same shape, taken in turn; the "
        "best time of each over all rounds",
    )
    for shape in shapes:
        progress.next(f"denormals {shape[0]}x{shape[1]}")
        inputs = {"normal": normal(shape, SIGMA)} | {kind: KINDS[kind](shape) for kind in KINDS}
        out = np.empty(shape, dtype=np.float32)
        names = [race.label(kernel) for kernel in kernels]
        runs: dict[tuple[str, str], Callable[[], object]] = {}
        for kind, x in inputs.items():
            for name, kernel in zip(names, kernels, strict=True):
                runs[name, kind] = partial(fs.online, x, kernel.variant, out=out, isa=kernel.isa)
            for peer in peers:
                runs[peer.name, kind] = peer.softmax(x, out, options.threads).run
        calls = {" ".join(key): run for key, run in runs.items()}
        times = ground.race(calls, shape[0] * shape[1])
        for kind in KINDS:
            for name in [*names, *(peer.name for peer in peers)]:
                mine, usual = times[f"{name} {kind}"], times[f"{name} normal"]
                target = limit if name in names else None
                verdict = targets.verdict(mine / usual, target)
                rows = f"{shape[0]}x{shape[1]}"
                table.add(rows, kind, name, mine, usual, mine / usual, target, verdict)
    return [table]


def headline(tables: list[Table]) -> str | None:
    """Say how much slower rows with denormals are, of ours."""
    ours = [each for each in tables[0].records() if each["softmax"].startswith(race.OURS)]
    return f"rows with denormals {show(max(each['ratio'] for each in ours))} of the time of others"


CASE = member("denormals", "rows in the denormal window", ("online",), _run, headline)
