"""Statistics of heads, and calibration against exhaustive search with exact sums."""

from pathlib import Path
from typing import Any

import fastsoftmax as fs
import numpy as np
import pytest
from fastsoftmax import hccs

MODES = fs.variants("hccs")
WIDE = MODES[0]


def some(shape: tuple[int, ...], seed: int = 0, sigma: float = 2) -> Any:
    """Logits of normal distribution."""
    return np.random.default_rng(seed).normal(0, sigma, shape)


def terms(x: Any, scale: float) -> tuple[Any, Any]:
    """Softmax of the quantised logits, and their distances."""
    d = np.minimum(np.rint((x.max(axis=-1, keepdims=True) - x) / scale), 255)
    e = np.exp(-scale * d)
    return e / e.sum(axis=-1, keepdims=True), d


def divergence(x: Any, scale: float, B: Any, S: int, D: int) -> Any:
    """KL(softmax || HCCS), row by row, for one B or many."""
    p, d = terms(x, scale)
    s = np.asarray(B, dtype=float)[..., None, None] - S * np.minimum(d, D)
    return (p * np.log(p * s.sum(axis=-1, keepdims=True) / s)).sum(axis=-1).mean(axis=-1)


def exhaustive(x: Any, scale: float, n: int) -> float:
    """Least divergence of all integers that profile "paper" allows."""
    floor, most, least = -(-256 // n), 32767 // n, np.inf
    for D in range(1, 128):
        for S in range(min(127, (most - floor) // D) + 1):
            B = np.arange(S * D + floor, most + 1)
            least = min(least, divergence(x, scale, B, S, D).min())
    return float(least)


@pytest.mark.parametrize(("sigma", "scale"), [(0.5, 0.1), (2, 0.1), (4, 0.3)])
def test_as_good_as_exhaustive_search(sigma: float, scale: float) -> None:
    """Long rows leave few integers; within 0.1 %, by the exact divergence."""
    n = 640
    x = some((4, n), 1, sigma)
    stats = hccs.HeadStats(scale)
    stats.update(x)
    for mode in MODES:
        if mode == WIDE:
            continue
        found = hccs.calibrate(stats, n, "paper", mode)
        value = divergence(x, scale, int(found.B), int(found.S), int(found.Dmax))
        assert value <= 1.001 * exhaustive(x, scale, n) + 1e-12


@pytest.mark.parametrize(("sigma", "scale"), [(0.5, 0.3), (2, 0.8), (4, 2), (1, 3)])
def test_wide_is_as_good_as_exhaustive_search(sigma: float, scale: float) -> None:
    """Rows of a few distances, and B of ten bits: all B, S and Dmax, by the exact divergence."""
    n = 1 << 21  # n*B < 2^31
    x = some((4, 40), 2, sigma)
    stats = hccs.HeadStats(scale)
    stats.update(x)
    found = hccs.calibrate(stats, n)
    value = float(divergence(x, scale, int(found.B), int(found.S), int(found.Dmax)))
    p, d = terms(x, scale)
    last, most, least = int(d.max()), ((1 << 31) - 1) // n, np.inf
    assert last < 14
    for D in range(1, last + 1):  # beyond the last distance nothing changes
        clipped = np.minimum(d, D)
        B, S = np.meshgrid(np.arange(1, most + 1), np.arange((most - 1) // D + 1))
        valid = B - S * D >= 1
        rho = np.unique(S[valid] / B[valid])
        mass = np.array([p[clipped == k].sum() for k in range(D + 1)])
        scores = np.log(1 - rho[:, None] * np.arange(D + 1))
        sums = np.log(1 - rho[:, None] * clipped.mean(axis=-1)).sum(axis=-1)
        least = min(least, float((sums - scores @ mass).min()))
    entropy = (p * np.log(p * d.shape[-1])).sum()
    assert value <= 1.001 * (entropy + least) / len(x) + 1e-12


def test_merged_is_whole_and_masked_is_absent(tmp_path: Path) -> None:
    """Shards add up; masked positions, -inf and saved files make no difference."""
    x = some((3, 40, 50))
    whole, left, right = (hccs.HeadStats(0.05) for _ in range(3))
    whole.update(x)
    left.update(x[:, :15])
    padded = np.concatenate([x[:, 15:], np.full((3, 25, 4), np.nan)], axis=-1)
    right.update(padded, mask=~np.isnan(padded))
    right.update(np.full((3, 2, 9), -np.inf))
    left.save(tmp_path / "left.npz")
    merged = hccs.HeadStats.load(tmp_path / "left.npz")
    merged.merge(right)
    assert (merged.rows == 40).all()
    assert (whole.rows == 40).all()
    for name in ("entropy", "mass", "count", "total"):
        np.testing.assert_allclose(getattr(merged, name), getattr(whole, name), atol=1e-9)
    assert hccs.calibrate(merged, 50) == hccs.calibrate(whole, 50)
    empty = hccs.HeadStats()
    empty.merge(whole)
    assert hccs.calibrate(empty, 50) == hccs.calibrate(whole, 50)


def test_scales_that_do_not_saturate() -> None:
    """The default one fits distances; int8 logits need the largest magnitude in 127 steps."""
    x = some((3, 50, 40)) - np.array([0, 3, 30])[:, None, None]
    own, given = hccs.HeadStats(), hccs.HeadStats(np.abs(x).max(axis=(-2, -1)) / 127)
    for stats, fits in ((own, False), (given, True)):
        stats.update(x)
        assert stats.scale is not None
        scale = stats.scale[:, None, None]
        distance = (x.max(axis=-1, keepdims=True) - x) / scale
        assert (np.rint(distance) <= 255).all()
        assert (np.abs(np.rint(x / scale)) <= 127).all() == fits
        params = hccs.calibrate(stats, 40)
        integers = np.clip(np.rint(x / scale), -128, 127).astype(np.int8)
        off = hccs.softmax(integers, params) / 32767 - hccs.softmax_float(x, params)
        assert (np.abs(off).max() < 0.1) == fits


def test_progress() -> None:
    """Both steps tell after each head."""
    told: list[tuple[int, int]] = []
    stats = hccs.HeadStats(0.1)
    stats.update(some((2, 3, 5, 16)), progress=lambda done, heads: told.append((done, heads)))
    assert told == [(done, 6) for done in range(1, 7)]
    told.clear()
    hccs.calibrate(
        stats, 16, granularity="layer", progress=lambda done, heads: told.append((done, heads))
    )
    assert told == [(1, 2), (2, 2)]


def test_granularity() -> None:
    """Shared parameters have the shape of what shares them, and need a shared scale."""
    x = some((2, 3, 20, 30)) * np.array([1, 2, 3])[:, None, None]
    stats = hccs.HeadStats(0.1)
    stats.update(x)
    shapes = {"head": (2, 3), "layer": (2, 1), "global": ()}
    for granularity, shape in shapes.items():
        params = hccs.calibrate(stats, 30, granularity=granularity)
        assert params.shape == shape
        assert hccs.softmax_float(x, params).shape == x.shape
    own = hccs.HeadStats()
    own.update(x)
    with pytest.raises(ValueError, match="one scale only"):
        hccs.calibrate(own, 30, granularity="layer")


@pytest.mark.parametrize(
    ("logits", "error", "words"),
    [
        (np.array([[1.0, np.nan]]), ValueError, "NaN"),
        (np.array([[1.0, np.inf]]), ValueError, "inf"),
        (np.zeros((2, 2), np.int8), TypeError, "float array"),
        (np.zeros(2), ValueError, "rows, keys"),
        (np.zeros((3, 2, 2)), ValueError, "heads"),
    ],
)
def test_bad_logits_change_nothing(logits: Any, error: type[Exception], words: str) -> None:
    """Statistics are as before."""
    stats = hccs.HeadStats()
    stats.update(some((5, 9)))
    before = stats.mass.copy()
    with pytest.raises(error, match=words):
        stats.update(logits)
    np.testing.assert_array_equal(stats.mass, before)
    assert stats.rows.tolist() == 5
    fresh = hccs.HeadStats()
    if words in ("NaN", "inf"):
        with pytest.raises(error, match=words):
            fresh.update(logits)
        assert fresh.scale is None


def test_bad_calibration(tmp_path: Path) -> None:
    """Each error names what is wrong."""
    stats = hccs.HeadStats(0.1)
    with pytest.raises(ValueError, match="empty"):
        hccs.calibrate(stats, 9)
    stats.update(some((5, 9)))
    with pytest.raises(ValueError, match="n is 40000"):
        hccs.calibrate(stats, 40000, "paper", MODES[1])
    changes: list[dict[str, Any]] = [
        {"profile": "a"}, {"mode": "b"}, {"granularity": "c"}, {"profile": "paper"}
    ]  # fmt: skip
    for change in changes:
        with pytest.raises(ValueError, match=r"is 'a'|is 'b'|is 'c'|is 'wide'"):
            hccs.calibrate(stats, 9, **change)
    other = hccs.HeadStats(0.2)
    other.update(some((5, 9)))
    with pytest.raises(ValueError, match="scales differ"):
        stats.merge(other)
    (tmp_path / "bad.npz").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="no file of HeadStats"):
        hccs.HeadStats.load(tmp_path / "bad.npz")
