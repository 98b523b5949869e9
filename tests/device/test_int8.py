"""int8 operations on arrays of the fake device: the bits of the CPU, whatever the layout."""

from typing import Any

import cuda_arrays
import fastsoftmax as fs
import numpy as np
import pytest
from cuda_arrays import Fake
from fastsoftmax import hccs, int8

RNG = np.random.default_rng(0)
X = RNG.integers(-128, 128, (2, 3, 5, 70)).astype(np.int8)
KEEP = RNG.random((3, 1, 70)) < 0.8
MODES, TABLES = fs.variants("hccs"), fs.variants("int8")
HEADS = (3, 5, 8)  # S of three heads


def params(mode: str, heads: bool) -> hccs.Params:
    """Parameters that a mode takes for rows of 70."""
    scale, S = (np.full(3, 0.1), np.array(HEADS)) if heads else (0.1, HEADS[0])
    B = np.full(3, 450) if heads else 450
    return hccs.Params(scale=scale, B=B, S=S, Dmax=np.full(3, 50) if heads else 50, n=70)


def assert_same(result: Any, wanted: np.ndarray) -> None:
    """Compare dtype, shape and every bit."""
    assert isinstance(result, Fake)
    assert result.dtype == wanted.dtype
    assert np.array_equal(result.data, wanted)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("heads", [False, True])
def test_hccs(hostcuda: Any, mode: str, heads: bool) -> None:
    """Every mode, one set of parameters and one for each head, with and without a mask."""
    head = params(mode, heads)
    for mask in (None, KEEP, np.broadcast_to(KEEP[:, :, :1], (3, 5, 1))):
        moved = None if mask is None else Fake(mask)
        wanted = hccs.softmax(X, head, mode=mode, mask=mask)
        assert_same(hccs.softmax(Fake(X), head, mode=mode, mask=moved), wanted)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
def test_table(hostcuda: Any, table: str, dtype: type) -> None:
    """Both tables and results, one scale and one for each head."""
    for scale in (0.07, np.array([0.02, 0.1, 0.3])):
        wanted = int8.softmax(X, scale, table=table, out_dtype=dtype, mask=KEEP)
        got = int8.softmax(Fake(X), scale, table=table, out_dtype=dtype, mask=Fake(KEEP))
        assert_same(got, wanted)


def scales_near_halves() -> np.ndarray:
    """Scales for which a power of exp lies next to a half: where its entry may be rounded."""
    entries, i = np.arange(7, 32767, 643) + 0.5, np.array([[2], [5], [11], [15]])
    coarse = -np.log(entries / 32767) / (16 * i)
    nudged = [coarse * (1 + k * 2.0**-52) for k in range(-2, 3)]
    return np.concatenate([scale.ravel() for near in nudged for scale in (near, 16 * near)])


@pytest.mark.parametrize("table", TABLES)
def test_factors_of_the_cpu(hostcuda: Any, table: str) -> None:
    """The table is one: a row of two elements shows each of its factors."""
    scales = scales_near_halves()
    d = np.concatenate([np.arange(1, 16), np.arange(16, 256, 16)])
    rows = np.stack([np.full(d.shape, 127), 127 - d], axis=-1).astype(np.int8)
    x = np.broadcast_to(rows, (len(scales), *rows.shape)).copy()
    wanted = int8.softmax(x, scales, table=table, out_dtype=np.int16)
    assert_same(int8.softmax(Fake(x), scales, table=table, out_dtype=np.int16), wanted)


def test_layouts(hostcuda: Any) -> None:
    """Rows with gaps, rows that are copied first, one row, none, and `out`."""
    for x in (X[:, ::2, 1:], X[..., ::2], X[0, 0, 0], X[..., :0]):
        assert_same(int8.softmax(Fake(x), 0.1), int8.softmax(x, 0.1))
    out = Fake(np.zeros((2, 3, 5, 80), np.uint8)[..., 5:75])
    assert int8.softmax(Fake(X), 0.1, out=out) is out
    assert_same(out, int8.softmax(X, 0.1))


def test_refusals(hostcuda: Any) -> None:
    """In words."""
    x = Fake(X)
    far = Fake(KEEP, (cuda_arrays.CUDA, 1))
    cases: tuple[tuple[type[Exception], str, dict[str, Any]], ...] = (
        (TypeError, "mask is a numpy.ndarray of bool on another device, x on", {"mask": KEEP}),
        (ValueError, "mask is on CUDA device 1, x on CUDA device 0", {"mask": far}),
        (TypeError, "mask must be an array of bool", {"mask": Fake(X)}),
        (ValueError, "mask has shape", {"mask": Fake(KEEP[..., :3])}),
        (ValueError, "axis is 0; .* last axis: permute x", {"axis": 0}),
        (ValueError, "unknown table 'nope'", {"table": "nope"}),
        (TypeError, "out has dtype int16; the result is uint8", {"out": Fake(X.astype(np.int16))}),
        (ValueError, "leave out away", {"out": Fake(X.view(np.uint8))}),
        (ValueError, "isa 'nope' can't take", {"isa": "nope"}),
    )
    for error, words, options in cases:
        with pytest.raises(error, match=words):
            int8.softmax(x, 0.1, **options)
    with pytest.raises(TypeError, match="x must be int8, not float32"):
        int8.softmax(Fake(X.astype(np.float32)), 0.1)
    with pytest.raises(ValueError, match=r"the scales have shape \(4,\)"):
        int8.softmax(x, np.full(4, 0.1))
    with pytest.raises(TypeError, match=r"there hccs.softmax takes int8 logits"):
        fs.online(x, params(MODES[0], False))
    with pytest.raises(TypeError, match="stream is for logits on a CUDA device"):
        int8.softmax(X, 0.1, stream=1)
