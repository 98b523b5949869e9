"""B, S, Dmax of each head with the least divergence from softmax. docs/int8.md has the maths."""

from dataclasses import dataclass

import numpy as np

from fastsoftmax.hccs._params import PROFILES, WIDE, Params, checked_length, paper_modes
from fastsoftmax.hccs._stats import DISTANCES, HeadStats, Progress
from fastsoftmax.hccs._steps import Array

GRANULARITIES = ("head", "layer", "global")
_TIE = 2e-4  # relative; divergences closer than that count as equal
_SMALL_SLOPES = 127
_BISECTIONS = 40


@dataclass(frozen=True)
class Limits:
    """What a profile allows for rows of n: the largest B, S and Dmax, and the smallest floor."""

    B: int
    S: int
    Dmax: int
    floor: int


def limits_of(profile: str, n: int) -> Limits:
    """Return what B, S, Dmax and the floor may be; ValueError if n is too long for any."""
    if profile == WIDE:
        limits = Limits(min(32767, ((1 << 31) - 1) // n), 32767, 255, 1)
    else:
        limits = Limits(32767 // n, 127, 127, -(-256 // n))
    if limits.floor > limits.B:
        raise ValueError(f"n is {n}; no parameters of profile {profile!r} serve rows that long")
    return limits


class Divergence:
    """Mean divergence of HCCS from softmax over a head's rows, for D = Dmax and rho = S/B."""

    def __init__(self, stats: HeadStats, head: tuple[int, ...], most: int) -> None:
        rows = stats._rows[head]
        mass, count = stats._mass[head] / rows, stats._count[head][:most]
        self.D = np.arange(1, most + 1)
        self.entropy = stats._entropy[head] / rows
        self.weight = count / rows
        v = np.where(count > 0, stats._total[head][:most] / np.maximum(count, 1), 1)
        self.mean = self.D[:, None] * (1 - v)  # of min(d, D) over a row, by bin
        below = np.arange(most + 1) < self.D[:, None]
        self.clipped = np.where(below, mass[: most + 1], 0)  # mass of min(d, D)
        tail = mass[::-1].cumsum()[::-1]
        self.clipped[self.D - 1, self.D] = tail[self.D]
        self.distance = np.minimum(np.arange(most + 1), self.D[:, None])

    def slope(self, rho: Array) -> Array:
        """Differentiate by rho, one rho for each D."""
        r = rho[:, None]
        gain = (self.clipped * self.distance / (1 - r * self.distance)).sum(axis=-1)
        loss: Array = (self.weight * self.mean / (1 - r * self.mean)).sum(axis=-1)
        return np.asarray(gain - loss)

    def at(self, D: Array, rho: Array) -> Array:
        """Divergence in nats a row, of pairs of D and rho."""
        i, r, most = D - 1, rho[:, None], int(D.max(initial=0)) + 1
        scores = np.log(1 - r * self.distance[i, :most])
        sums = np.log(1 - r * self.mean[i])
        cross = (self.clipped[i, :most] * scores).sum(axis=-1)
        return np.asarray(self.entropy - cross + (self.weight[i] * sums).sum(axis=-1))


def best_rho(f: Divergence, limits: Limits) -> Array:
    """For each D the rho with the least divergence, by bisection of the derivative."""
    low = np.zeros(len(f.D))
    high = (1 - limits.floor / limits.B) / f.D
    high, top = np.where(f.slope(high) > 0, high, low), high
    low = np.where(high == 0, top, low)
    high = np.where(high == 0, top, high)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        rising = f.slope(middle) > 0
        low, high = np.where(rising, low, middle), np.where(rising, middle, high)
    return np.asarray((low + high) / 2)


def candidates(D: int, rho: float, limits: Limits) -> tuple[Array, Array]:
    """B and S with S/B close to rho: small slopes, and those of the largest B."""
    most = min(limits.S, (limits.B - limits.floor) // D)
    top = int(rho * limits.B) + np.arange(-1, 2)
    S = np.unique(np.clip(np.append(np.arange(_SMALL_SLOPES + 1), top), 0, most))
    exact = S / max(rho, 1e-12)
    B = np.concatenate([np.floor(exact), np.ceil(exact)])
    S = np.tile(S, 2)
    return np.clip(B, np.maximum(S * D + limits.floor, 1), limits.B).astype(np.int64), S


def best_integers(f: Divergence, limits: Limits, largest: bool) -> tuple[int, int, int, float]:
    """B, S, Dmax and the divergence; among equals the largest or the smallest B."""
    rho = best_rho(f, limits)
    bound = f.at(f.D, rho)  # no integers with that D do better
    found: list[tuple[Array, ...]] = []
    least = np.inf
    for i in np.argsort(bound, kind="stable"):
        if bound[i] > least + _TIE * abs(least):
            break
        B, S = candidates(int(f.D[i]), float(rho[i]), limits)
        D = np.full(B.shape, f.D[i])
        found.append((B, S, D, f.at(D, S / B)))
        least = min(least, float(found[-1][3].min()))
    B, S, D, value = (np.concatenate(part) for part in zip(*found, strict=True))
    ties = np.flatnonzero(value <= least + _TIE * abs(least))
    order = np.lexsort((value[ties], -B[ties] if largest else B[ties]))
    k = ties[order[0]]
    return int(B[k]), int(S[k]), int(D[k]), float(value[k])


def calibrate(
    stats: HeadStats,
    n: int,
    profile: str = WIDE,
    mode: str = WIDE,
    granularity: str = "head",
    *,
    progress: Progress | None = None,
) -> Params:
    """Parameters with the least mean divergence KL(softmax || HCCS) over the rows seen.

    Parameters
    ----------
    stats : HeadStats
        Of heads [heads...]; a few dozen rows a head are enough.
    n : int
        Length of the rows; in profile "wide" that of the longest.
    profile, mode : str
        As in `Params`: mode "wide" belongs to profile "wide", the others to "paper".
    granularity : str
        ``"head"``; ``"layer"``: one (B, S, Dmax) over the last axis of the heads; ``"global"``: one
        for all. Shared parameters need a shared scale.
    progress : callable, optional
        Called after each search with how many are done, and of how many.

    Returns
    -------
    Params
        Of shape [heads...], [..., 1] or ().

    Raises
    ------
    TypeError, ValueError
        For empty statistics, heads without rows, unknown names, scales that differ where they must
        be shared, and an `n` that no parameters serve.

    Notes
    -----
    Within 0.1 % of the least divergence that integers reach. The softmax is that of the quantised
    logits; the divergence is that of ``s / Z``, without the rounding of the result. Among equally
    good integers, 8-bit modes get the largest B (fine scores), others the smallest (small sums).

    Examples
    --------
    >>> import numpy as np
    >>> stats = HeadStats()
    >>> stats.update(np.random.default_rng(0).normal(0, 2, (12, 100, 64)))
    >>> calibrate(stats, n=64).shape
    (12,)
    """
    if not isinstance(stats, HeadStats):
        raise TypeError(f"stats must be HeadStats, not {type(stats).__name__}")
    n = checked_length(n)
    _check_names(profile, mode, granularity)
    limits = limits_of(profile, n)
    shared = shared_stats(stats, granularity)
    assert shared.scale is not None
    heads = np.zeros((*shared.shape, 3), np.int64)
    for done, head in enumerate(np.ndindex(shared.shape), 1):
        if shared._rows[head] == 0:
            raise ValueError(f"head {head} has no rows: its logits were all masked out")
        with np.errstate(all="ignore"):
            f = Divergence(shared, head, min(limits.Dmax, DISTANCES - 1))
            heads[head] = best_integers(f, limits, mode.startswith("i8"))[:3]
        if progress:
            progress(done, heads.size // 3)
    B, S, D = np.moveaxis(heads, -1, 0)
    if granularity == "global":
        B, S, D, scale = (np.ravel(a)[0] for a in (B, S, D, shared.scale))
        return Params(scale, B, S, D, n, profile, mode)
    return Params(shared.scale, B, S, D, n, profile, mode)


@np.errstate(all="ignore")
def divergences(stats: HeadStats, params: Params) -> Array:
    """KL(softmax || HCCS) of each head, in nats a row, as calibration sees it."""
    integers = (np.broadcast_to(a, stats.shape) for a in (params.B, params.S, params.Dmax))
    B, S, D = integers
    result = np.empty(stats.shape)
    for head in np.ndindex(stats.shape):
        f = Divergence(stats, head, DISTANCES - 1)
        result[head] = f.at(np.maximum(D[head], 1)[None], (S[head] / B[head])[None])[0]
    return result


def shared_stats(stats: HeadStats, granularity: str) -> HeadStats:
    """Statistics of what gets parameters of its own."""
    axes = len(stats.shape)
    if granularity == "layer" and axes == 0:
        raise ValueError("granularity 'layer' needs an axis of heads, but there is one head only")
    over = {"head": (), "layer": (axes - 1,), "global": tuple(range(axes))}[granularity]
    return stats.over(over)


def _check_names(profile: str, mode: str, granularity: str) -> None:
    if profile not in PROFILES:
        raise ValueError(f"profile is {profile!r}; it may be {' or '.join(PROFILES)}")
    modes = [WIDE] if profile == WIDE else paper_modes()
    if mode not in modes:
        raise ValueError(f"mode is {mode!r}; profile {profile!r} has: {', '.join(modes)}")
    if granularity not in GRANULARITIES:
        raise ValueError(f"granularity is {granularity!r}; it may be {', '.join(GRANULARITIES)}")
