"""`scan` and the single update against the recurrence, and the published text to the letter."""

from typing import Any

import fastsoftmax as fs
import numpy as np
from entries import entry_of
from expression_numpy import evaluate_update, evaluate_weight
from references import Floats, gaussian, is_plain, run, weights

LENGTHS = (1, 2, 3, 64, 500)


def grid(kernel: fs.Kernel, n: int, sigma: float) -> Floats:
    """Logits on a grid, so that every difference of two is exact."""
    return np.asarray(np.round(gaussian(kernel, n, sigma) * 64) / 64)


def weight_of(kernel: fs.Kernel) -> Any:
    """Give h in the precision of a row, as a function that takes and gives float64."""

    def h(d: Floats) -> Floats:
        entry = entry_of(kernel.variant)
        if kernel.dtype == "float32" or kernel.variant == "exact":
            return weights(kernel, d).astype(np.float64)
        # the table has no weight row here: the text, or exp within the bound
        return np.exp(d) if entry is None else evaluate_weight(entry, np.asarray(d, np.float64))

    return h


def test_scan_is_the_recurrence(guarded_scan_kernel: fs.Kernel) -> None:
    """The guarded forms: rescaled on a new maximum, by exp or by h as the table says."""
    k = guarded_scan_kernel
    h = weight_of(k)
    rescale = np.exp if k.rescale == "exp" else h
    eps = float(np.finfo(k.dtype).eps)
    for n in LENGTHS:
        for sigma in (1.0, 4.0):
            x = grid(k, n, sigma)
            m, s = run(k, x)
            wanted_m, wanted_s = fs.reference.scan(x, weight=h, rescale=rescale)
            assert m == wanted_m
            tolerance = n * eps + (1e-7 if k.dtype == "float32" else 2e-15)
            if k.dtype == "float64" and k.variant != "exact":
                maxima = len(np.unique(np.maximum.accumulate(x)))
                tolerance = 1e-12 if entry_of(k.variant) else maxima * k.bound
            assert abs(s / wanted_s - 1) <= tolerance


def test_scan_ends_at_the_normalizer(paired_guarded_scan_kernel: fs.Kernel) -> None:
    """Where h is exp, the order of the steps doesn't matter; nor where the maximum comes first."""
    k = paired_guarded_scan_kernel
    x = gaussian(k, 300, 3.0)
    if k.variant != "exact":
        x = np.sort(x)[::-1].copy()
    m, s = run(k, x - x.max())
    wanted_m, wanted_s = fs.normalizer(x - x.max(), k.variant, isa=k.isa)
    assert m == wanted_m
    assert abs(s / wanted_s - 1) <= len(x) * np.finfo(k.dtype).eps


def test_scan_of_many_rows(scan_kernel: fs.Kernel) -> None:
    """A batch is its rows, bit for bit."""
    x = gaussian(scan_kernel, (6, 33), 2.0)
    each = [run(scan_kernel, row) for row in x]
    assert np.array_equal(np.stack(run(scan_kernel, x), -1), each)


def tuples(kernel: fs.Kernel, n: int = 20_000) -> list[Floats]:
    """States and logits as a stream of N(0, 1) gives them, new maxima among them."""
    random = np.random.default_rng(n)
    m = random.normal(3, 1, n)
    x = np.concatenate([random.normal(0, 1, n // 2), m[n // 2 :] + random.normal(0, 2, n - n // 2)])
    s = random.uniform(1, 900, n)
    return [np.ascontiguousarray(part, dtype=kernel.dtype) for part in (m, s, x)]


def updated(kernel: fs.Kernel, m: Floats, s: Floats, x: Floats, repeats: int = 1) -> Floats:
    """Run one update of each tuple."""
    out = np.empty_like(s)
    fs._core.update(kernel.variant, kernel.isa, m, s, x, out, repeats)
    return out


def test_update_is_one_step_of_scan(update_kernel: fs.Kernel) -> None:
    """From the state of x_0 to that of (x_0, x_1), and `repeats` changes nothing."""
    k = update_kernel
    rows = gaussian(k, (500, 2), 3.0)
    first = fs.scan(rows[:, :1], k.variant, isa=k.isa)
    both = fs.scan(rows, k.variant, isa=k.isa)
    second = np.ascontiguousarray(rows[:, 1])
    for repeats in (1, 3):
        assert np.array_equal(updated(k, *first, second, repeats), both[1])


def test_exact_update(exact_update_kernel: fs.Kernel) -> None:
    """The published baseline of two exponentials, within the claimed bound."""
    k = exact_update_kernel
    m, s, x = tuples(k)
    wide = [part.astype(np.longdouble) for part in (m, s, x)]
    top = np.maximum(wide[0], wide[2])
    wanted = wide[1] * np.exp(wide[0] - top) + np.exp(wide[2] - top)
    assert float(np.abs(updated(k, m, s, x) / wanted - 1).max()) <= k.bound


def test_raw_update_is_the_published_text(raw_update_kernel: fs.Kernel) -> None:
    """Bit for bit what NumPy makes of it in the same dtype; close to it where products fuse."""
    k = raw_update_kernel
    entry = entry_of(k.variant)
    assert entry is not None
    m, s, x = tuples(k)
    wanted = evaluate_update(entry, m, s, x)
    assert wanted.dtype == k.dtype
    if is_plain(k):
        assert np.array_equal(updated(k, m, s, x), wanted)
    else:
        scale = 2e3 * float(np.finfo(k.dtype).eps)
        np.testing.assert_allclose(updated(k, m, s, x), wanted, rtol=scale, atol=scale)


def test_raw_scan_is_the_published_text(raw_scan_kernel: fs.Kernel) -> None:
    """Start m = x_0, s = 1, then the formula alone, step by step."""
    k = raw_scan_kernel
    entry = entry_of(k.variant)
    assert entry is not None
    x = gaussian(k, (50, 40))
    m, s = x[:, 0].copy(), np.ones_like(x[:, 0])
    for column in x.T[1:]:
        s = evaluate_update(entry, m, s, np.ascontiguousarray(column))
        m = np.maximum(m, column)
    got_m, got_s = run(k, x)
    assert np.array_equal(got_m, m)
    if is_plain(k):
        assert np.array_equal(got_s, s)
    else:
        np.testing.assert_allclose(got_s, s, rtol=1e-4 if k.dtype == "float32" else 1e-12)


def test_scan_without_rescale_is_the_text(
    plain_generated_guarded_scan_kernel: fs.Kernel,
) -> None:
    """With the maximum first s is h(0) and the weights in turn: the same bits as NumPy's sum."""
    k = plain_generated_guarded_scan_kernel
    entry = entry_of(k.variant)
    assert entry is not None
    d = -np.abs(gaussian(k, (50, 40), 3.0))
    d[:, 0] = 0
    m, s = run(k, d)
    wanted = np.cumsum(evaluate_weight(entry, d.ravel()).reshape(d.shape), axis=1, dtype=k.dtype)
    assert (m == 0).all()
    assert np.array_equal(s, wanted[:, -1])
