"""HCCS: the bits of the reference on every ISA, its parameters and their conditions."""

import json
from pathlib import Path
from typing import Any

import fastsoftmax as fs
import fastsoftmax.reference.int8 as reference_int8
import numpy as np
import pytest
from fastsoftmax import hccs

WIDE = fs.variants("hccs")[0]
LENGTHS = (1, 2, 15, 16, 31, 32, 33, 63, 64, 65, 77, 127, 128, 129, 200, 256, 1024)


def logits(shape: tuple[int, ...], seed: int = 0, sigma: float = 24) -> Any:
    """Quantised logits, now and then at the ends of the range."""
    x = np.random.default_rng(seed).normal(0, sigma, shape)
    return np.clip(np.rint(x), -128, 127).astype(np.int8)


def heads(mode: str, n: int, seed: int, count: int = 4) -> hccs.Params:
    """Random heads that satisfy the conditions of a mode."""
    g = np.random.default_rng(seed)
    wide = mode == WIDE
    most = min(32767, ((1 << 31) - 1) // n) if wide else 32767 // n
    floor = 1 if wide else -(-256 // n)
    B = g.integers(max(floor, most // 2), most + 1, count)
    Dmax = g.integers(1, 256 if wide else 128, count)
    S = np.minimum((B - floor) // Dmax, 32767 if wide else 127)
    return hccs.Params(0.1, B, S, Dmax, n, WIDE if wide else "paper", mode)


def results_of(mode: str) -> dict[Any, int]:
    """Dtypes that a mode gives, and what it rounds to in "wide"."""
    if mode == WIDE:
        return {np.int16: 32767, np.uint8: 255}
    return {np.uint8: 255} if mode.startswith("i8") else {np.int16: 32767}


def test_bits_are_those_of_the_reference(hccs_kernel: fs.Kernel) -> None:
    """Every length class, random heads, with and without a mask."""
    mode = hccs_kernel.variant
    for n in LENGTHS:
        params = heads(mode, n, n)
        x = logits((4, 19, n), n)
        keep = np.random.default_rng(n).random((4, 19, n)) < 0.6
        keep[:, 3] = False
        for mask in (None, keep):
            for dtype, full in results_of(mode).items():
                got = hccs.softmax(
                    x, params, mode=mode, mask=mask, out_dtype=dtype, isa=hccs_kernel.isa
                )
                assert got.dtype == dtype
                for h in range(4):
                    want = reference_int8.hccs(
                        x[h], int(params.B[h]), int(params.S[h]), int(params.Dmax[h]), mode,
                        full=full, mask=None if mask is None else mask[h],
                    )  # fmt: skip
                    np.testing.assert_array_equal(got[h], want)


def test_large_sums(hccs_kernel: fs.Kernel) -> None:
    """Rows with n * B close to 2^31 in "wide"."""
    if hccs_kernel.variant != WIDE:
        pytest.skip("the paper's modes keep n * B within 15 bits")
    params = hccs.Params(0.1, 32767, 100, 200, 65000)
    x = logits((2, 65000), 1)
    want = reference_int8.hccs(x, 32767, 100, 200, WIDE)
    np.testing.assert_array_equal(hccs.softmax(x, params, isa=hccs_kernel.isa), want)


def test_layouts_and_heads() -> None:
    """Axis, strides, [layers, heads], threads and out= don't change the bits."""
    x = logits((2, 3, 7, 90), 5)
    params = hccs.Params(0.1, np.full((2, 3), 600), [[1, 2, 3], [4, 5, 6]], 60, 90)
    want = hccs.softmax(x, params)
    for layer, head in np.ndindex(2, 3):
        one = hccs.Params(0.1, 600, int(params.S[layer, head]), 60, 90)
        np.testing.assert_array_equal(hccs.softmax(x[layer, head], one), want[layer, head])
    first = np.ascontiguousarray(np.moveaxis(x, -1, 0))
    np.testing.assert_array_equal(np.moveaxis(hccs.softmax(first, params, axis=0), 0, -1), want)
    out = np.empty(x.shape, np.int16)
    assert hccs.softmax(x, params, out=out, threads=2) is out
    np.testing.assert_array_equal(out, want)
    one_row = hccs.softmax(x[0, 0, 0], hccs.Params(0.1, 600, 1, 60, 90))
    np.testing.assert_array_equal(one_row, want[0, 0, 0])


def test_softmax_float_quantises_the_distance() -> None:
    """Logits far from 0 don't saturate; floats are s / Z; masks of three kinds agree."""
    params = hccs.Params(0.1, 600, 9, 63, 50)
    x = np.random.default_rng(2).normal(0, 3, (6, 50)).astype(np.float32)
    p = hccs.softmax_float(x, params)
    assert p.dtype == np.float32
    np.testing.assert_allclose(p.sum(-1), 1, rtol=1e-6)
    np.testing.assert_allclose(hccs.softmax_float(x + np.float32(4096), params), p, atol=2e-3)
    words = hccs.softmax_float(x, params, out_dtype=np.int16)
    np.testing.assert_allclose(words / 32767, p, atol=0.51 / 32767)
    keep = np.random.default_rng(3).random((6, 50)) < 0.5
    keep[2] = False
    want = hccs.softmax_float(x, params, mask=keep)
    assert (want[~keep] == 0).all()
    low = np.where(keep, np.float32(0), np.finfo(np.float32).min)
    np.testing.assert_array_equal(hccs.softmax_float(x, params, mask=low), want)
    infinite = np.where(keep, x, np.float32(-np.inf))
    np.testing.assert_array_equal(hccs.softmax_float(infinite, params), want)
    x[1, 4] = np.nan
    assert np.isnan(hccs.softmax_float(x, params)[1]).all()
    with pytest.raises(ValueError, match="NaN"):
        hccs.softmax_float(x, params, out_dtype=np.int16)


@pytest.mark.parametrize(
    ("change", "condition"),
    [
        ({"B": 0}, "1 <= B"),
        ({"B": 40000}, "B <= 32767"),
        ({"S": -1}, "0 <= S"),
        ({"Dmax": 256}, "Dmax <= 255"),
        ({"S": 10, "Dmax": 60}, "B - S[*]Dmax >= 1"),
        ({"n": 1 << 22}, "n[*]B < 2"),
        ({"profile": "paper", "n": 90}, "n[*]B <= 32767"),
        ({"profile": "paper", "n": 2, "S": 9}, "n[*].B - S[*]Dmax. >= 256"),
        ({"profile": "paper", "S": 128, "Dmax": 1}, "S <= 127"),
        ({"scale": -1.0}, "scale"),
        ({"profile": "narrow"}, "profile"),
        ({"mode": "i8+mul"}, "mode"),
        ({"n": 0}, "n is 0"),
        ({"n": 10**30}, "n is 2.31"),
        ({"B": [600, 500], "S": [1, 2, 3]}, "broadcast"),
    ],
)
def test_conditions_are_checked_and_named(
    change: dict[str, Any], condition: str, tmp_path: Path
) -> None:
    """When parameters are made, and when they are loaded."""
    good: dict[str, Any] = {"scale": 0.1, "B": 600, "S": 1, "Dmax": 60, "n": 50}
    with pytest.raises(ValueError, match=condition):
        hccs.Params(**(good | change))
    file = tmp_path / "params.json"
    hccs.Params(**good).save(file)
    stored = json.loads(file.read_text())
    if change.get("profile") == "paper":
        stored["mode"] = ""
    file.write_text(json.dumps(stored | change))
    with pytest.raises(ValueError, match=condition):
        hccs.Params.load(file)


def test_save_and_load(tmp_path: Path) -> None:
    """What is loaded equals what was saved; strangers are refused."""
    file = tmp_path / "params.json"
    params = heads(WIDE, 128, 3, 12)
    params.save(file)
    assert hccs.Params.load(file) == params
    stored = json.loads(file.read_text())
    assert set(stored) == {"scale", "B", "S", "Dmax", "n", "profile", "mode", "version"}
    for wrong in ({"version": 2}, {"extra": 1}):
        file.write_text(json.dumps(stored | wrong))
        with pytest.raises(ValueError, match=r"version|nothing else"):
            hccs.Params.load(file)
    file.write_text("{")
    with pytest.raises(ValueError, match="JSON"):
        hccs.Params.load(file)


@pytest.mark.parametrize("shapes", [((2, 1), (2,)), ((1, 2), (2, 1)), ((2, 1, 1), (1, 2))])
def test_parameters_may_broadcast(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    """However they lie in memory then."""
    scale, B = np.full(shapes[0], 0.1), np.arange(600, 600 + np.prod(shapes[1])).reshape(shapes[1])
    params = hccs.Params(scale, B, 9, 63, 7)
    x = np.random.default_rng(0).integers(-128, 128, (*params.shape, 3, 7), np.int8)
    y = hccs.softmax(x, params)
    for head in np.ndindex(params.shape):
        one = hccs.Params(0.1, params.B[head], 9, 63, 7)
        assert np.array_equal(y[head], hccs.softmax(x[head], one))


def test_bad_input_writes_nothing() -> None:
    """Wrong dtypes, shapes and lengths."""
    out = np.full((2, 50), 77, np.int16)
    x = np.zeros((2, 50), np.int8)
    params = hccs.Params(0.1, 600, 1, 60, 50)
    plain: Any = (600, 1, 60)
    paper = next(m for m in fs.variants("hccs") if m != WIDE)
    with pytest.raises(TypeError, match="int8"):
        hccs.softmax(x.astype(np.int16), params, out=out)
    with pytest.raises(TypeError, match="Params"):
        hccs.softmax(x, plain, out=out)
    with pytest.raises(ValueError, match="calibrated for n = 50"):
        hccs.softmax(x[:, :40], params, mode=paper, out=out[:, :40])
    with pytest.raises(ValueError, match="unknown mode"):
        hccs.softmax(x, params, mode="i9", out=out)
    with pytest.raises(TypeError, match="gives int16"):
        hccs.softmax(x, params, mode=paper, out_dtype=np.uint8)
    with pytest.raises(ValueError, match="broadcast"):
        hccs.softmax(x, hccs.Params(0.1, [600, 600], 1, 60, 50), out=out)
    assert (out == 77).all()
