"""`online` with parameters of HCCS: the same as the functions of hccs."""

from typing import Any

import fastsoftmax as fs
import numpy as np
import pytest
from fastsoftmax import hccs

PAPER = fs.variants("hccs")[1]
HEADS = [
    hccs.Params(0.1, [600, 500], 9, 50, 40),
    hccs.Params(0.1, [600, 500], 9, 50, 40, "paper", PAPER),
]


def some() -> Any:
    """Logits of two heads."""
    return np.random.default_rng(0).normal(0, 3, (3, 2, 7, 40))


@pytest.mark.parametrize("params", HEADS)
def test_the_same_as_hccs(params: hccs.Params) -> None:
    """Floats and int8, with every keyword that makes sense."""
    x = some()
    keep = np.random.default_rng(1).random(x.shape) < 0.7
    words = np.clip(np.rint(x / 0.1), -128, 127).astype(np.int8)
    for mask in (None, keep):
        want = hccs.softmax_float(x, params, mask=mask, mode=params.mode)
        np.testing.assert_array_equal(fs.online(x, params, mask=mask), want)
        whole = hccs.softmax(words, params, mask=mask, mode=params.mode)
        got = fs.online(words, variant=params, mask=mask, threads=2, isa=fs.isas("hccs")[-1])
        np.testing.assert_array_equal(got, whole)
    out = np.empty_like(x)
    assert fs.online(x, params, out=out, mask=keep) is out
    np.testing.assert_array_equal(out, want)
    fs.online(out := x.copy(), params, out=out, mask=keep)
    np.testing.assert_array_equal(out, want)
    first = np.ascontiguousarray(np.moveaxis(x, -1, 0))
    moved = fs.online(first, params, axis=0, mask=np.moveaxis(keep, -1, 0))
    np.testing.assert_array_equal(np.moveaxis(moved, 0, -1), want)
    integers = np.empty(words.shape, np.int16)
    assert fs.online(words, params, out=integers, mask=keep) is integers
    np.testing.assert_array_equal(integers, whole)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"sink": 0.0}, ValueError, "sink"),
        ({"scale": 0.5}, ValueError, "scale is 0.5"),
        ({"scale": "1"}, TypeError, "scale"),
        ({"axis": 4}, ValueError, "axis"),
        ({"mask": np.ones(3, bool)}, ValueError, "mask"),
        ({"isa": "abacus"}, ValueError, "abacus"),
        ({"out": np.empty((3, 2, 7, 40), np.float32)}, TypeError, "out is float32"),
        ({"out": np.empty(3)}, ValueError, "out has shape"),
        ({"threads": 0}, ValueError, "threads"),
    ],
)
def test_what_makes_no_sense(change: dict[str, Any], error: type[Exception], words: str) -> None:
    """Refused in words, with nothing written."""
    out = np.full((3, 2, 7, 40), 7.0)
    with pytest.raises(error, match=words):
        fs.online(some(), HEADS[0], **({"out": out} | change))
    assert (out == 7).all()
