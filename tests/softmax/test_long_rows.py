"""Rows of several blocks, each with a maximum of its own: what becomes of unusual blocks.

Threads share such rows, so each result is compared for several numbers of them, too.
"""

from collections.abc import Callable
from typing import Any

import fastsoftmax as fs
import numpy as np
import pytest
from numpy.typing import NDArray

COLUMNS = 400_001  # long enough to be taken in blocks, the last of them short
Row = NDArray[np.float32]


def _rising(x: Row) -> None:
    x += np.linspace(-300, 300, len(x), dtype=np.float32)


def _falling(x: Row) -> None:
    x -= np.linspace(-300, 300, len(x), dtype=np.float32)


def _masked_start(x: Row) -> None:
    x[:50_000] = -np.inf


def _masked_but_one(x: Row) -> None:
    x[:] = -np.inf
    x[300_000] = 5


def _beyond_the_limit(x: Row) -> None:
    x[200_000:] += 1e6


def _around_the_limit(x: Row) -> None:
    x += 16384


def _lowest(x: Row) -> None:
    x[100_000:200_000] = np.finfo(np.float32).min


def _constant(x: Row) -> None:
    x[:] = 0.3


UNUSUAL = [
    _rising,
    _falling,
    _masked_start,
    _masked_but_one,
    _beyond_the_limit,
    _around_the_limit,
    _lowest,
    _constant,
]


@pytest.fixture
def row() -> Row:
    """One row of N(0, 2^2)."""
    rng = np.random.default_rng(1)
    return rng.standard_normal(COLUMNS, dtype=np.float32) * np.float32(2)


@pytest.mark.parametrize("change", UNUSUAL)
def test_unusual_blocks_are_within_the_bound(change: Callable[[Row], None], row: Row) -> None:
    """Out of place and in place, on every ISA; zeros are exact."""
    change(row)
    expected = fs.reference.online(row)
    near = row.astype(np.float64) - float(row.max()) > -20
    for isa in fs.isas("online"):
        inside = row.copy()
        for p in (fs.online(row, isa=isa), fs.online(inside, out=inside, isa=isa)):
            relative = np.abs(p - expected)[near] / expected[near]
            assert relative.max() <= 5e-7, isa
            assert np.abs(p - expected).max() <= 3e-7, isa
            assert (p[np.isneginf(row)] == 0).all(), isa


@pytest.mark.parametrize("at", [0, 4095, 4096, 250_000, COLUMNS - 1])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_one_value_spoils_the_row(at: int, value: float, row: Row) -> None:
    """NaN or +inf in any block makes the whole row NaN, in a block of -inf, too."""
    for masked in (False, True):
        if masked:
            row[max(at - 5000, 0) : at + 5000] = -np.inf
        row[at] = value
        for isa in fs.isas("online"):
            assert np.isnan(fs.online(row, isa=isa)).all(), isa


THREADS = (2, 3, 7)


def _tuples(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)


def _nan_at_the_end(x: Row) -> None:
    x[-1] = np.nan


def _infinite(x: Row) -> None:
    x[123_456] = np.inf


def _nothing(x: Row) -> None:
    x[:] = -np.inf


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("change", [*UNUSUAL, _nan_at_the_end, _infinite, _nothing])
def test_same_bits_for_every_number_of_threads(
    change: Callable[[Row], None], dtype: type, row: Row
) -> None:
    """One row, whoever takes its blocks; where blocks can't do it, whoever does."""
    with np.errstate(over="ignore"):
        change(row)
        x: NDArray[Any] = row.astype(dtype)
    for isa in fs.isas("online"):
        for f in (fs.online, fs.log_softmax, fs.normalizer, fs.logsumexp):
            alone = _tuples(f(x, threads=1, isa=isa))
            for threads in THREADS:
                for a, b in zip(alone, _tuples(f(x, threads=threads, isa=isa)), strict=True):
                    np.testing.assert_array_equal(b, a)


@pytest.mark.parametrize("change", [*UNUSUAL, _nan_at_the_end, _infinite, _nothing])
def test_same_bits_in_place(change: Callable[[Row], None], row: Row) -> None:
    """Nothing is overwritten before it is known that blocks can do the row."""
    change(row)
    for isa in fs.isas("online"):
        for f in (fs.online, fs.log_softmax):
            alone = row.copy()
            f(alone, out=alone, threads=1, isa=isa)
            for threads in THREADS:
                inside = row.copy()
                f(inside, out=inside, threads=threads, isa=isa)
                np.testing.assert_array_equal(inside, alone)


@pytest.mark.parametrize("change", UNUSUAL)
def test_unusual_blocks_of_states(change: Callable[[Row], None], row: Row) -> None:
    """The state and its logarithm are within their bounds, too."""
    change(row)
    wide = row.astype(np.float64)
    expected = np.exp(wide - wide.max()).sum()
    for isa in fs.isas("normalizer"):
        m, s = fs.normalizer(row, isa=isa)
        assert m == row.max()
        assert abs(s / expected - 1) <= 5e-7, isa
        total = fs.logsumexp(row, isa=isa)
        half = np.spacing(np.abs(total)) / 2
        assert abs(float(total) - (wide.max() + np.log(expected))) <= 5e-7 + half, isa


def test_few_long_rows() -> None:
    """Rows that don't go round are shared one after another, whatever lies between them."""
    rng = np.random.default_rng(3)
    x: NDArray[np.float32] = rng.standard_normal((3, 2, 270_001), dtype=np.float32)
    for view in (x[:, 0], x[::-1, 1, 5:], x[:, :, :200_000]):
        for f in (fs.online, fs.log_softmax, fs.normalizer):
            alone = _tuples(f(view, threads=1))
            for threads in THREADS:
                for a, b in zip(alone, _tuples(f(view, threads=threads)), strict=True):
                    np.testing.assert_array_equal(b, a)


def test_nothing_but_minus_infinity(row: Row) -> None:
    """A long row of -inf is NaN, as a short one is."""
    row[:] = -np.inf
    for isa in fs.isas("online"):
        assert np.isnan(fs.online(row, isa=isa)).all(), isa


def test_float64(row: Row) -> None:
    """Float64 takes the same way, within its own bound."""
    x = row.astype(np.float64) * 30
    wide = x.astype(np.longdouble)
    weights = np.exp(wide - wide.max())
    expected = weights / weights.sum()
    normal = expected > 1e-300
    for isa in fs.isas("online"):
        p = fs.online(x, isa=isa)
        assert (np.abs(p - expected)[normal] / expected[normal]).max() <= 4e-15, isa
