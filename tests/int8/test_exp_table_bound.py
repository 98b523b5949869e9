"""The table's claimed distance from softmax, in rows made to be as bad as can be."""

import re
from collections.abc import Iterator
from typing import Any

import fastsoftmax as fs
import numpy as np
import pytest
from fastsoftmax import int8
from fastsoftmax.reference import int8 as reference_int8
from numpy.typing import NDArray
from repository import ROOT

RESULTS: dict[Any, int] = {np.dtype(np.uint8): 255, np.dtype(np.int16): 32767}
TABLES = ("auto", *fs.variants("int8"))
BITS = dict(zip(fs.variants("int8"), (8, 15), strict=True))
LENGTHS = (1, 2, 3, 5, 16, 77, 256, 1000, 4000, 20_000, 100_000)
STEPS = np.arange(256)
DOCUMENT = ROOT / "docs" / "int8.md"
Rows = NDArray[np.int8]


def errors_of(scale: float, bits: int, others: int) -> Any:
    """By distance of all others from the one maximum: the error of it, and of one of them."""
    e, t = np.exp(-scale * STEPS), reference_int8.table(scale, bits).astype(float)
    t /= t[0]
    e_sum, t_sum = 1 + others * e, 1 + others * t
    return np.maximum(np.abs(1 / t_sum - 1 / e_sum), np.abs(t / t_sum - e / e_sum))


def bad_scales(bits: int, n: int) -> list[float]:
    """Scales throughout, and those where the worst row of n is worst."""
    spread = list(np.geomspace(2e-4, 30, 9))
    tried = np.random.default_rng(n).uniform(np.log(1e-3), np.log(12), 400)
    worst = sorted(np.exp(tried), key=lambda scale: -errors_of(scale, bits, n - 1).max())
    # the errors of short rows are roundings of the result, too
    return [*spread, *map(float, worst[: 400 if n <= 16 else 3])]


def bad_rows(scale: float, bits: int, n: int) -> Rows:
    """Distances from a maximum: all others equal at the worst of them, ladders, at random."""
    random = np.random.default_rng(n)
    rows = [np.full(n, d) for d in np.argsort(errors_of(scale, bits, n - 1))[-3:]]
    rows += [np.arange(n) * step for step in (1, 7)]
    rows += [np.geomspace(1, 255, n), random.integers(0, 256, n), random.exponential(20, n)]
    rows.append(np.where(np.arange(n) % 2, rows[0], rows[1]))
    distances = np.minimum(np.array(rows), 255).astype(int)
    distances[:, random.integers(n)] = 0
    found: Rows = (127 - distances).astype(np.int8)
    return found


def off(x: Rows, scale: float, table: str, dtype: np.dtype[Any]) -> Any:
    """Units between a result and the softmax of the quantised logits: the largest of each row."""
    wanted = RESULTS[dtype] * fs.reference.online(x * np.float64(scale))
    got = int8.softmax(x, scale, table=table, out_dtype=dtype)
    return np.abs(got - wanted).max(axis=-1)


def cases(table: str, n: int) -> Iterator[tuple[float, Rows]]:
    """Give scales and rows that are bad for a table."""
    bits = BITS.get(table, max(BITS.values()))
    for scale in bad_scales(bits, n):
        yield scale, bad_rows(scale, bits, n)


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("dtype", RESULTS, ids=str)
def test_bound_holds_and_is_nearly_reached(dtype: np.dtype[Any], table: str, n: int) -> None:
    """No row is further off, and some row comes half as far."""
    bound = int8.error_bound(n, table=table, out_dtype=dtype)
    worst = max(off(x, scale, table, dtype).max() for scale, x in cases(table, n))
    assert worst <= bound
    if n > 1:  # a single element is exact
        assert worst >= bound / 2


@pytest.mark.parametrize("table", TABLES)
def test_bound_holds_with_a_scale_for_each_head_and_masks(table: str) -> None:
    """Elements that are masked out don't count."""
    x = np.full((3, 2, 300), -63, np.int8)
    x[..., 7] = 127
    keep = np.arange(300) < 9
    scales = np.array([0.05, 0.033, 1.7])
    for dtype, full in RESULTS.items():
        got = int8.softmax(x, scales, table=table, mask=keep, out_dtype=dtype)
        wanted = full * fs.reference.online(x[..., :9] * scales[:, None, None])
        bound = int8.error_bound(9, table=table, out_dtype=dtype)
        assert np.abs(got[..., :9] - wanted).max() <= bound


def test_auto_never_has_the_larger_bound() -> None:
    """One high logit over many low ones is not 1."""
    for n in LENGTHS:
        for dtype in RESULTS:
            bounds = {t: int8.error_bound(n, table=t, out_dtype=dtype) for t in TABLES}
            assert bounds["auto"] == min(bounds.values())
    row = np.array([[127] + [1] * 3999], np.int8)
    assert off(row, 0.05, "auto", np.dtype(np.uint8)) <= 1


def test_bound_refuses_what_is_no_length() -> None:
    """In words."""
    assert int8.error_bound(0) == int8.error_bound(1)
    with pytest.raises(TypeError, match=r"n must be an integer, not 2\.5"):
        int8.error_bound(2.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="n is -1; a row has 0"):
        int8.error_bound(-1)
    with pytest.raises(ValueError, match="unknown table 'u9'"):
        int8.error_bound(3, table="u9")
    with pytest.raises(TypeError, match="int16 or uint8"):
        int8.error_bound(3, out_dtype=np.int32)


def test_the_document_has_the_functions_figures() -> None:
    """docs/int8.md repeats some of them."""
    text = DOCUMENT.read_text(encoding="utf-8")
    head = re.search(r"^\| bound, elements of a row \|(.*)\|$", text, re.MULTILINE)
    assert head is not None
    lengths = [int(cell) for cell in head[1].split("|")]
    for dtype in RESULTS:
        for table in BITS:
            row = re.search(rf"^\| {table} to {dtype} \|(.*)\|$", text, re.MULTILINE)
            assert row is not None
            bounds = [int8.error_bound(n, table=table, out_dtype=dtype) for n in lengths]
            assert [cell.strip() for cell in row[1].split("|")] == [f"{b:.3g}" for b in bounds]
