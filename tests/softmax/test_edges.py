"""Infinities, NaN, extreme values and empty arrays, on every row of the table."""

from typing import Any

import fastsoftmax as fs
import numpy as np
import pytest
from references import gaussian, run


def lengths(kernel: fs.Kernel) -> list[int]:
    """Give lengths: a tail alone, one vector and a tail, the unrolled loop and a tail."""
    return [1, 5, kernel.lanes + 1, 33 * kernel.lanes + 3]


def test_minus_infinity_weighs_nothing(online_kernel: fs.Kernel) -> None:
    """The rest of the row is what it is without that element."""
    for n in lengths(online_kernel)[1:]:
        x = gaussian(online_kernel, n)
        keep = np.arange(n) % 3 != 1
        x[~keep] = -np.inf
        p = run(online_kernel, x)
        assert (p[~keep] == 0).all()
        np.testing.assert_allclose(p[keep], run(online_kernel, x[keep]), rtol=1e-6)


def test_one_element_is_all(online_kernel: fs.Kernel) -> None:
    """One logit among -inf has all the mass, wherever it stands and whatever it is."""
    for n in lengths(online_kernel):
        for at in {0, n // 2, n - 1}:
            for value in (0.0, -1e30, 1e30, np.finfo(np.float32).max, np.finfo(np.float32).min):
                x = np.full(n, -np.inf, dtype=online_kernel.dtype)
                x[at] = value
                p = run(online_kernel, x)
                assert abs(p[at] - 1) < 1e-6
                assert np.count_nonzero(p) == 1


def test_row_without_a_value_is_nan(online_kernel: fs.Kernel) -> None:
    """-inf only, or NaN or +inf anywhere: the whole row is NaN, and its neighbours aren't."""
    for n in lengths(online_kernel):
        good = gaussian(online_kernel, n)
        wanted = run(online_kernel, good)
        for bad in (-np.inf, np.nan, np.inf):
            x = np.stack([good, good, good])
            x[1] = bad
            p = run(online_kernel, x)
            assert np.isnan(p[1]).all()
            assert np.array_equal(p[0], wanted)
            assert np.array_equal(p[2], wanted)


def test_row_does_not_depend_on_its_neighbours(online_kernel: fs.Kernel) -> None:
    """Bit for bit, in groups of every size and at every length: rows may be reduced together."""
    lanes = online_kernel.lanes
    alike = gaussian(online_kernel, (3 * lanes + 2, 280), 3.0)
    unlike = alike + np.resize([0.0, 90.0, -300.0, np.nan, -np.inf], (len(alike), 1))
    for rows in (np.asarray(unlike, dtype=alike.dtype), alike):
        for n in (*range(1, 40), 63, 64, 65, 127, 129, 280):
            x = np.ascontiguousarray(rows[:, :n])
            each = np.stack([run(online_kernel, row) for row in x])
            for count in {1, 2, lanes - 1, lanes, lanes + 1, len(x)} - {0}:
                p = run(online_kernel, x[:count])
                assert np.array_equal(p, each[:count], equal_nan=True), (n, count)


@pytest.mark.parametrize("bad", [np.nan, -np.nan, np.inf])
@pytest.mark.parametrize("rest", [0.0, -1e4, -np.inf])
def test_one_bad_value_at_every_place(online_kernel: fs.Kernel, bad: float, rest: float) -> None:
    """A maximum passes over NaN, and a clamp may drop it: both must not hide it."""
    n = min(5 * online_kernel.lanes + 3, 70)
    x = np.full((n, n), rest, dtype=online_kernel.dtype) + gaussian(online_kernel, (n, n))
    np.fill_diagonal(x, bad)
    assert np.isnan(run(online_kernel, x)).all()


def test_lowest_finite_value(online_kernel: fs.Kernel) -> None:
    """Masks are often finfo.min: no weight beside anything else, an even share alone."""
    lowest, highest = np.finfo(online_kernel.dtype).min, np.finfo(online_kernel.dtype).max
    for n in lengths(online_kernel):
        x = np.full(n, lowest, dtype=online_kernel.dtype)
        np.testing.assert_allclose(run(online_kernel, x), 1 / n, rtol=1e-6)
        for top in (0.0, highest):
            x[n // 2] = top
            p = run(online_kernel, x)
            assert abs(p[n // 2] - 1) < 1e-6
            assert np.count_nonzero(p) == 1


def test_normalizer_edges(normalizer_kernel: fs.Kernel) -> None:
    """The states that the docstring promises for rows without a finite value."""
    inf, nan = np.inf, np.nan
    for n in lengths(normalizer_kernel)[1:]:
        rest = gaussian(normalizer_kernel, n)
        rows = {
            "nothing": (np.full_like(rest, -inf), (-inf, 0.0)),
            "NaN": (np.where(np.arange(n) == n - 1, nan, rest), (nan, nan)),
            "infinity": (np.where(np.arange(n) == 1, inf, rest), (inf, nan)),
            "both": (np.concatenate([[inf], rest[2:], [nan]]), (nan, nan)),
            "NaN in nothing": (np.append(np.full(n - 1, -inf), nan), (nan, nan)),
        }
        x = np.stack([row for row, _ in rows.values()]).astype(rest.dtype)
        m, s = run(normalizer_kernel, x)
        assert np.array_equal(np.stack([m, s], -1), [w for _, w in rows.values()], equal_nan=True)
        lse = fs.logsumexp(x, normalizer_kernel.variant, isa=normalizer_kernel.isa)
        assert np.array_equal(lse, [-inf, nan, inf, nan, nan], equal_nan=True)


def test_scan_edges(guarded_scan_kernel: fs.Kernel) -> None:
    """The same states from the recurrence; the raw forms give what their formula gives."""
    inf, nan, dtype = np.inf, np.nan, guarded_scan_kernel.dtype
    rows = {
        (-inf, -inf, -inf): (-inf, 0.0),
        (0.0, nan, 1.0): (nan, nan),
        (nan, 0.0, 1.0): (nan, nan),
        (0.0, inf, 1.0): (inf, nan),
        (inf, inf, -inf): (inf, nan),
        (inf, nan, 1.0): (nan, nan),
        (nan, inf, 1.0): (nan, nan),
    }
    m, s = run(guarded_scan_kernel, np.array([*rows], dtype=dtype))
    assert np.array_equal(np.stack([m, s], -1), [*rows.values()], equal_nan=True)
    at_zero = run(guarded_scan_kernel, np.array([0.0], dtype=dtype))[1]
    for row in ((-inf, -inf, 2.0), (2.0, -inf, -inf), (-inf, 2.0, -inf)):
        m, s = run(guarded_scan_kernel, np.array(row, dtype=dtype))
        assert (m, s) == (2.0, at_zero)


def test_weight_of_nan_is_nan(weight_kernel: fs.Kernel) -> None:
    """No clamp swallows it, in a full vector or in a tail."""
    for n in lengths(weight_kernel):
        d = np.full(n, -1, dtype=weight_kernel.dtype)
        out = np.empty_like(d)
        d[n // 2] = np.nan
        fs._core.weight(weight_kernel.variant, weight_kernel.isa, d, out)
        assert np.flatnonzero(np.isnan(out)).tolist() == [n // 2]


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 5), (2, 0, 3), (0, 0)])
def test_nothing_to_do(online_kernel: fs.Kernel, shape: tuple[int, ...]) -> None:
    """An empty axis or batch gives an empty result; the state of nothing is neutral."""
    x = np.empty(shape, dtype=online_kernel.dtype)
    for axis in range(len(shape)):
        p = run(online_kernel, x, axis=axis)
        assert p.shape == shape
        assert p.dtype == x.dtype
        options: dict[str, Any] = {"axis": axis, "isa": online_kernel.isa}
        m, s = fs.normalizer(x, online_kernel.variant, **options)
        left = shape[:axis] + shape[axis + 1 :]
        assert m.shape == s.shape == left
        assert (m == -np.inf).all()
        assert (s == 0).all()
        lse = fs.logsumexp(x, online_kernel.variant, **options)
        assert lse.shape == left
        assert (lse == -np.inf).all()


def test_scan_of_nothing(scan_kernel: fs.Kernel) -> None:
    """The neutral state."""
    m, s = run(scan_kernel, np.empty((2, 0), dtype=scan_kernel.dtype))
    assert m.tolist() == [-np.inf] * 2
    assert s.tolist() == [0.0] * 2


def test_one_dimension_gives_scalars(exact_online_kernel: fs.Kernel) -> None:
    """As NumPy's own reductions do."""
    x = gaussian(exact_online_kernel, 7)
    m, s = fs.normalizer(x, isa=exact_online_kernel.isa)
    for value in (m, s, fs.logsumexp(x, isa=exact_online_kernel.isa)):
        assert type(value) is x.dtype.type


def test_caller_keeps_denormals(online_kernel: fs.Kernel) -> None:
    """Kernels flush denormals; the mode of the caller is put back."""
    smallest = np.finfo(online_kernel.dtype).smallest_subnormal
    run(online_kernel, gaussian(online_kernel, (3, 100)))
    kept = np.full(64, smallest) * np.ones(64, dtype=online_kernel.dtype)
    assert (kept == smallest).all()
    assert (kept != 0).all()


def test_empty_axis_with_rows_without_number() -> None:
    """No walk over rows in which there is nothing to do."""
    assert fs.online(np.empty((2**40, 0), dtype=np.float32)).shape == (2**40, 0)
