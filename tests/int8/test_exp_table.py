"""Softmax by a byte table: the bits of the reference on every ISA, and its errors."""

from typing import Any

import fastsoftmax as fs
import fastsoftmax.reference.int8 as reference_int8
import numpy as np
import pytest
from fastsoftmax.hccs import _softmax

RESULTS: dict[Any, int] = {np.dtype(np.uint8): 255, np.dtype(np.int16): 32767}
LENGTHS = (1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 77, 127, 128, 129, 200, 256, 511, 1024, 1100)


def logits(shape: tuple[int, ...], seed: int = 0, sigma: float = 24) -> Any:
    """Quantised logits, now and then at the ends of the range."""
    x = np.random.default_rng(seed).normal(0, sigma, shape)
    return np.clip(np.rint(x), -128, 127).astype(np.int8)


def bits_of(kernel: fs.Kernel) -> int:
    """Bits of an entry of a table."""
    return 8 if kernel.variant == fs.variants("int8")[0] else 15


@pytest.mark.parametrize("dtype", RESULTS, ids=str)
def test_bits_are_those_of_the_reference(int8_kernel: fs.Kernel, dtype: Any) -> None:
    """Every length class, several scales, with and without a mask."""
    for n in LENGTHS:
        for scale in (0.004, 0.03, 0.11, 0.9):
            x = logits((21, n), n)
            keep = np.random.default_rng(n).random((21, n)) < 0.6
            keep[3] = False
            for mask in (None, keep):
                got = fs.int8.softmax(
                    x, scale, table=int8_kernel.variant, mask=mask, out_dtype=dtype,
                    isa=int8_kernel.isa,
                )  # fmt: skip
                want = reference_int8.int8_softmax(
                    x, scale, bits_of(int8_kernel), RESULTS[dtype], mask
                )
                assert got.dtype == dtype
                np.testing.assert_array_equal(got, want)


def test_long_rows(int8_kernel: fs.Kernel) -> None:
    """Sums beyond 31 bits."""
    x = np.full((1, 70001), 5, dtype=np.int8)
    x[0, ::3] = -9
    for dtype, full in RESULTS.items():
        got = fs.int8.softmax(
            x, 0.05, table=int8_kernel.variant, out_dtype=dtype, isa=int8_kernel.isa
        )
        want = reference_int8.int8_softmax(x, 0.05, bits_of(int8_kernel), full)
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("n", [65537, 131073, 1 << 18])
def test_one_logit_outweighs_a_long_row(int8_kernel: fs.Kernel, n: int) -> None:
    """What a sum loses to fit must not let a probability pass 1."""
    x = np.full((1, n), -128, dtype=np.int8)
    x[0, n // 2] = 127
    for dtype, full in RESULTS.items():
        got = fs.int8.softmax(
            x, 1.0, table=int8_kernel.variant, out_dtype=dtype, isa=int8_kernel.isa
        )
        assert full * 0.9998 - 1 < got[0, n // 2] <= full
        assert np.count_nonzero(got) == 1


def test_any_layout_gives_the_same() -> None:
    """Axis, strides, broadcast masks, out= and threads don't matter."""
    x = logits((3, 4, 5, 70), 7)
    scale = np.array([0.02, 0.05, 0.1, 0.3])
    mask = np.random.default_rng(1).random((3, 1, 1, 70)) < 0.7
    want = fs.int8.softmax(x, scale, mask=mask)
    for head, one in enumerate(scale):
        part = fs.int8.softmax(x[:, head], float(one), mask=mask[:, 0])
        np.testing.assert_array_equal(want[:, head], part)
    wide = np.zeros((3, 4, 5, 140), np.int8)
    wide[..., ::2] = x
    np.testing.assert_array_equal(fs.int8.softmax(wide[..., ::2], scale, mask=mask), want)
    np.testing.assert_array_equal(
        fs.int8.softmax(x[..., ::-1], 0.1), fs.int8.softmax(x, 0.1)[..., ::-1]
    )
    first = np.moveaxis(x, -1, 0)
    got = fs.int8.softmax(first, scale, mask=np.moveaxis(mask, -1, 0), axis=0)
    np.testing.assert_array_equal(np.moveaxis(got, 0, -1), want)
    out = np.empty((3, 4, 5, 70), np.uint8)
    assert fs.int8.softmax(x, scale, mask=mask, out=out) is out
    np.testing.assert_array_equal(out, want)
    over = x.copy()
    np.testing.assert_array_equal(
        fs.int8.softmax(over, scale, mask=mask, out=over.view(np.uint8)), want
    )
    long = logits((600, 4096), 3)
    one = fs.int8.softmax(long, 0.1, threads=1)
    np.testing.assert_array_equal(one, fs.int8.softmax(long, 0.1, threads=2))
    assert fs.int8.softmax(np.empty((3, 0), np.int8), 0.1).shape == (3, 0)


def test_result_is_the_quotient_of_the_entries() -> None:
    """In units of the result; test_exp_table_bound.py has the distance from softmax."""
    for n in (1, 3, 64, 1000):
        for scale in (0.01, 0.05, 0.2):
            x = logits((50, n), n)
            exact = fs.reference.online(x * scale)
            d = reference_int8.distances(x, np.ones(x.shape, bool))
            for table, bits in zip(fs.variants("int8"), (8, 15), strict=True):
                weights = reference_int8.table(scale, bits)[d]
                quotient = weights / weights.sum(-1, keepdims=True)
                for dtype, full, most in ((np.int16, 32767, 2), (np.uint8, 255, 0.6)):
                    got = fs.int8.softmax(x, scale, table=table, out_dtype=dtype)
                    assert np.abs(got - full * quotient).max() <= most
            words = fs.int8.softmax(x, scale, out_dtype=np.int16)
            assert np.abs(words - 32767 * exact).sum(-1).max() / 65534 <= 6e-4 * max(1, n / 64)


def test_plain_calls_are_left_to_the_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """Contiguous rows, broadcast masks and heads need no second look in Python."""

    def unexpected(x: Any) -> Any:
        raise AssertionError("the core refused a plain call")

    for module in (_softmax, fs.int8):
        monkeypatch.setattr(module, "checked_logits", unexpected)
    x = logits((2, 3, 4, 64))
    keep = x[:1, :1, :1] > 0
    one, paper = fs.hccs.Params(0.1, 400, 6, 63, 64), fs.hccs.Params(0.1, 500, 7, 63, 64, "paper")
    many = fs.hccs.Params(0.1, [400, 500, 512], 6, 63, 64)
    for mask in (None, keep):
        for heads in (one, many):
            assert fs.hccs.softmax(x, heads, mask=mask).dtype == np.int16
        for dtype in RESULTS:
            out = np.empty(x.shape, dtype)
            assert fs.hccs.softmax(x, many, mask=mask, out_dtype=dtype, out=out) is out
            for scale in (0.1, np.array([0.1, 0.2, 0.3])):
                assert fs.int8.softmax(x, scale, mask=mask, out_dtype=dtype, out=out) is out
    for mode in fs.variants("hccs")[1:]:
        assert fs.hccs.softmax(x, paper, mode=mode, axis=3).shape == x.shape


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"x": np.zeros((2, 3), np.float32)}, TypeError, "int8"),
        ({"x": [[1, 2]]}, TypeError, "NumPy"),
        ({"x": np.array(3, np.int8)}, ValueError, "dimension"),
        ({"scale": 0.0}, ValueError, "above 0"),
        ({"scale": np.nan}, ValueError, "finite"),
        ({"scale": np.ones(3)}, ValueError, "broadcast"),
        ({"table": "u9"}, ValueError, "u9"),
        ({"mask": np.ones((2, 3), np.int8)}, TypeError, "bool"),
        ({"mask": np.ones((2, 4), bool)}, ValueError, "broadcast"),
        ({"out_dtype": np.int32}, TypeError, "int16 or uint8"),
        ({"axis": 2}, ValueError, "axis"),
        ({"isa": "sse9"}, ValueError, "sse9"),
        ({"threads": 0}, ValueError, "threads"),
        ({"out": np.zeros((2, 3), np.int16)}, TypeError, "dtype"),
        ({"out": np.zeros((2, 4), np.uint8)}, ValueError, "shape"),
    ],
)
def test_bad_input(change: dict[str, Any], error: type[Exception], words: str) -> None:
    """Each is refused in words, and nothing is written."""
    out = np.full((2, 3), 77, np.uint8)
    arguments: dict[str, Any] = {"x": np.zeros((2, 3), np.int8), "scale": 0.1, "out": out} | change
    with pytest.raises(error, match=words):
        fs.int8.softmax(arguments.pop("x"), arguments.pop("scale"), **arguments)
    assert (out == 77).all()
