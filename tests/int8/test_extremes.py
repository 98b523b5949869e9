"""HCCS and the table for every number: the right answer, without a warning, whatever is raised."""

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import fastsoftmax as fs
import numpy as np
import pytest
from fastsoftmax import export, hccs, int8
from fastsoftmax.commands import _curves
from fastsoftmax.hccs._calibration import divergences
from fastsoftmax.reference import int8 as reference_int8

MOST, LEAST = np.finfo(np.float64).max, 5e-324
MODES = fs.variants("hccs")


@pytest.fixture(autouse=True)
def everything_raises() -> Iterator[None]:
    """Whatever NumPy notices is an error."""
    with np.errstate(all="raise"):
        yield


def extremes(dtype: Any, count: int, seed: int) -> Any:
    """Numbers of every size, among them the largest, the least, and neighbours."""
    rng, info = np.random.default_rng(seed), np.finfo(dtype)
    least = float(info.smallest_subnormal)
    low, high = math.log2(least), math.log2(float(info.max))
    with np.errstate(all="ignore"):
        sizes = np.exp2(rng.uniform(low, high, count)).astype(dtype)
        units = (rng.integers(1, 2000, count) * least).astype(dtype)
    large = info.max * rng.choice([1, 0.5, 0.999], count).astype(dtype)
    found = np.choose(rng.integers(4, size=count), [sizes, units, large, rng.normal(0, 9, count)])
    return (found * rng.choice([-1, 1], count)).astype(dtype)


def exact_steps(top: Any, x: Any, scale: float) -> float:
    """Distance in steps, not rounded; 255 and more is 255."""
    distance = (Fraction(float(top)) - Fraction(float(x))) / Fraction(scale)
    return float(min(distance, Fraction(255)))


def seen_steps(stats: hccs.HeadStats) -> float:
    """Return the distance in the one row of two logits that statistics have seen."""
    return float(510 * (1 - stats.total[-1].sum()))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_statistics_of_extreme_rows(dtype: Any) -> None:
    """Distance and entropy of two logits, at scales of every size and at their own."""
    for seed in range(50):
        x = extremes(dtype, 2, seed)
        scales = [float(abs(extremes(np.float64, 1, seed)[0])), MOST, LEAST, None]
        for scale in scales:
            stats = hccs.HeadStats(scale)
            stats.update(x[None])
            assert stats.scale is not None
            used = float(stats.scale)
            assert 0 < used < math.inf
            top, low = x.max(), x.min()
            wanted = exact_steps(top, low, used)
            d = seen_steps(stats)
            assert abs(d - round(d)) < 1e-9
            assert abs(d - wanted) <= 0.5 + 1e-9 * wanted
            if scale is None and top > low:  # the range is 255 steps, as far as numbers go
                assert wanted > 128 or used == LEAST
                exact = (Fraction(float(top)) - Fraction(float(low))) / Fraction(used)
                assert exact < Fraction(2555, 10)
            nats = used * round(d) if round(d) else 0.0
            e = math.exp(-nats)
            entropy = math.log(2 / (1 + e)) - (e / (1 + e) * nats if e else 0)
            assert abs(float(stats.entropy) - entropy) < 1e-9
            assert int(stats.rows) == 1


def test_ranges_beyond_the_largest_number_are_not_masked() -> None:
    """Nor does what is masked count."""
    stats = hccs.HeadStats(1e306)
    stats.update(np.array([[MOST, -MOST, -np.inf, 0.9 * MOST]]))
    d = [0, 255, round(0.1 * MOST / 1e306)]
    assert stats.mass.sum() == 1
    assert np.isclose(stats.total[-1].sum(), 1 - sum(d) / (3 * 255))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_calibration_and_softmax_of_extremes(dtype: Any, tmp_path: Path) -> None:
    """Parameters that are valid, and probabilities that are those of the formula."""
    for seed in range(6):
        x = extremes(dtype, 24, seed).reshape(4, 6)
        x[0, :3] = -np.inf
        stats = hccs.HeadStats(None if seed % 2 else float(abs(extremes(np.float64, 1, seed)[0])))
        stats.update(x)
        stats.save(tmp_path / "x.npz")
        params = hccs.calibrate(hccs.HeadStats.load(tmp_path / "x.npz"), 6)
        assert np.isfinite(divergences(stats, params)).all()
        p = hccs.softmax_float(x, params)
        B, S, Dmax, scale = (float(v) for v in (params.B, params.S, params.Dmax, params.scale))
        for row, got in zip(x, p, strict=True):
            kept = np.isfinite(row)
            d = [exact_steps(row.max(), v, scale) for v in row[kept]]
            s = B - S * np.minimum(np.array([_nearest(v) for v in d]), Dmax)
            assert np.allclose(got[kept], s / s.sum(), rtol=2e-6)
            assert not got[~kept].any()


def _nearest(distance: float) -> int:
    return round(distance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, "most", "-most", "least"])
def test_nothing_warns(dtype: Any, value: Any) -> None:
    """All that takes floats, with one number everywhere, in places, and with masks."""
    info = np.finfo(dtype)
    named = {"most": info.max, "-most": -info.max, "least": info.smallest_subnormal}
    odd = dtype(named.get(value, value) if isinstance(value, str) else value)
    heads = [hccs.Params(s, 600, 9, 63, 8) for s in (LEAST, 0.1, MOST)]
    heads.append(hccs.Params(0.1, 40, 0, 9, 8, "paper", MODES[1]))
    x = np.random.default_rng(0).normal(0, 3, (3, 2, 8)).astype(dtype)
    x[0], x[1, :, ::3] = odd, odd
    masks: list[Any] = [None, x < 0, np.full(8, odd), np.full(8, info.min), np.zeros(8, dtype)]
    for params in heads:
        for mask in masks:
            p = hccs.softmax_float(x, params, mode=params.mode, mask=mask)
            assert p.shape == x.shape
            lost = np.isnan(p).any(axis=-1)
            assert np.all(lost | (np.abs(p.sum(axis=-1) - 1) < 1e-5) | (p.sum(axis=-1) == 0))
            assert not lost[2].any() or mask is not None
            fs.online(x, params, mask=mask if mask is None or mask.dtype == bool else None)
            if np.isfinite(odd) and (mask is None or mask.dtype == bool):
                hccs.softmax_float(x, params, mode=params.mode, mask=mask, out_dtype=np.int16)
    for scale in (None, 0.1, MOST):
        stats = hccs.HeadStats(scale)
        if np.isnan(odd) or odd == np.inf:
            with pytest.raises(ValueError, match="NaN or"):
                stats.update(x)
            stats.update(x, mask=np.isfinite(x))
        else:
            stats.update(x)
        stats.merge(stats)
        if scale:
            stats.over((0,))
        if stats.rows.all():
            found = hccs.calibrate(stats, 8, granularity="global" if scale else "head")
            export.hccs(found)
            assert hccs.Params(found.scale, found.B, found.S, found.Dmax, 8) == found
            if np.isfinite(odd):
                assert np.isfinite(_curves._hccs(x.astype(np.float64), None, found)).all()


def test_the_table_of_extreme_scales() -> None:
    """Tables of integers, whatever the scale."""
    x = np.arange(-128, 128, dtype=np.int8)
    for scale in (LEAST, 1e-300, 0.1, 3.0, 750.0, 1e300, MOST):
        results: list[Any] = [(8, 255, np.uint8), (15, 32767, np.int16)]
        for table, (bits, full, dtype) in zip(fs.variants("int8"), results, strict=True):
            y = int8.softmax(x, scale, table=table, out_dtype=dtype)
            with np.errstate(all="ignore"):
                wanted = reference_int8.int8_softmax(x, scale, bits, full)
            assert np.array_equal(y, wanted)
            assert np.array_equal(reference_int8.int8_softmax(x, scale, bits, full), wanted)
        assert "softmax" in export.int8([scale])
    scales: list[Any] = [np.inf, np.nan, 0.0, -1.0, np.longdouble("1e4000"), 10**400]
    for scale in scales:
        for call in (
            lambda scale=scale: int8.softmax(x, scale),
            lambda scale=scale: export.int8(scale),
            lambda scale=scale: hccs.HeadStats(scale),
            lambda scale=scale: hccs.Params(scale, 600, 9, 63, 8),
        ):
            with pytest.raises(ValueError, match="finite and above 0"):
                call()
    wrongs: list[Any] = ["0.1", ["0.1"], True, None, 1j]
    for wrong in wrongs:
        with pytest.raises(TypeError, match="scale must be a number"):
            hccs.Params(wrong, 600, 9, 63, 8)
        if wrong is not None:
            with pytest.raises(TypeError, match="scale must be a number"):
                hccs.HeadStats(wrong)


def test_signalling_nan_under_a_mask() -> None:
    """What a mask takes out of statistics is not looked at."""
    x = np.zeros((1, 2, 3), np.float32)
    x.view(np.uint32)[0, 0, 1] = 0x7F800001
    stats = hccs.HeadStats()
    stats.update(x, np.array([True, False, True]))
    assert stats.rows.tolist() == [2]
