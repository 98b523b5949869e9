"""What the table claims of each variant: error, tail, order, and the arithmetic of its text."""

import re
from functools import lru_cache

import fastsoftmax as fs
import numpy as np
import pytest
from cpu_kernels import cpu_kernels
from entries import entry_of
from expression_numpy import evaluate_weight
from references import Floats, gaussian, is_plain, rounding, run, weights, wider

LOWEST = -104.0


@lru_cache(maxsize=64)
def distances(dtype: str, domain: float) -> Floats:
    """Sorted d <= 0: a stride through all floats down to -104, and runs of neighbours."""
    if dtype == "float64":
        even = -np.geomspace(1e-300, 760, 200_000)
        return np.unique(np.concatenate([[0.0], even, -np.linspace(0, 760, 200_000)]))
    last = int(np.float32(-LOWEST).view(np.uint32))
    strided = np.arange(0, last, 2003, dtype=np.uint32)
    centres = [2.0**k for k in range(-30, 7)] + [-domain, -LOWEST, 20.0, np.log(2.0), 1.0029157]
    around = np.array(centres, dtype=np.float32).view(np.uint32)[:, None] + np.arange(
        -500, 500, dtype=np.int64
    )
    bits = np.unique(np.concatenate([strided, np.clip(around, 0, last).ravel()]))
    return np.ascontiguousarray(-bits.astype(np.uint32).view(np.float32)[::-1])


def relative_above(kernel: fs.Kernel) -> float:
    """Where a relative bound ends, as its kind says: "relative, weight, d > -87.25 (...)"."""
    ends = [float(number) for number in re.findall(r"-[0-9.]+[0-9]", kernel.bound_kind)]
    return ends[-1 if kernel.dtype == "float64" else 0]


def test_weight_is_within_its_bound(weight_kernel: fs.Kernel) -> None:
    """|h(d) - e^d|, absolute or relative as the table says, over a sample of all floats."""
    k = weight_kernel
    d = distances(k.dtype, k.domain)
    wanted = np.exp(d.astype(wider(k.dtype)))
    error = np.abs(weights(k, d) - wanted)
    if k.bound_kind.startswith("relative"):
        edge = relative_above(k)
        error, d = (error / np.maximum(wanted, np.finfo(k.dtype).tiny))[d > edge], d[d > edge]
    else:
        assert k.bound_kind == "absolute, weight"
    worst = int(np.argmax(error))
    assert error[worst] <= k.bound, f"{float(error[worst]):.4g} at d = {d[worst]!r}"


def test_weight_at_its_ends(weight_kernel: fs.Kernel) -> None:
    """h(0) is what the table says; nothing is negative; below the domain it is the tail, 0."""
    k = weight_kernel
    d = distances(k.dtype, k.domain)
    h = weights(k, d)
    # the table gives six digits
    assert weights(k, np.zeros(1))[0] == pytest.approx(k.value_at_zero, abs=1e-6)
    assert (h >= 0).all()
    assert k.tail == 0
    edge = np.array(k.domain, dtype=k.dtype)
    lowest = np.finfo(k.dtype).min
    below = [edge, np.nextafter(edge, -np.inf), 2 * edge, -1e4, -1e30, lowest, -np.inf]
    assert (weights(k, np.array(below)) == 0).all()
    assert (h[d <= edge] == 0).all()


def test_weight_order(monotone_weight_kernel: fs.Kernel) -> None:
    """A variant that the table calls monotone never falls, not even from one float to the next."""
    k = monotone_weight_kernel
    assert (np.diff(weights(k, distances(k.dtype, k.domain))) >= 0).all()
    for start in np.arange(-40.0, 0.0, 0.37):
        run_of_neighbours = np.float32(start).view(np.uint32) - np.arange(5000, dtype=np.uint32)
        assert (np.diff(weights(k, run_of_neighbours.view(np.float32))) >= 0).all()


def test_online_is_the_weight_normalised(online_kernel: fs.Kernel) -> None:
    """With the maximum at 0 the numerators are the weights to the bit."""
    for n in (1, 2, online_kernel.lanes + 1, 129, 4097):
        for sigma in (1.0, 8.0):
            x = -np.abs(gaussian(online_kernel, n, sigma))
            x[n // 3] = 0
            h = weights(online_kernel, x)
            p = run(online_kernel, x)
            total = h.sum(dtype=wider(online_kernel.dtype))
            wanted = h / total
            least = float(np.finfo(online_kernel.dtype).smallest_normal)
            assert (p[h == 0] == 0).all()
            assert (p[wanted < least] <= least).all()  # 0, or rounded up to a normal number
            normal = wanted >= least * (1 + rounding(online_kernel))
            np.testing.assert_allclose(p[normal], wanted[normal], rtol=rounding(online_kernel))
            m, s = fs.normalizer(x, online_kernel.variant, isa=online_kernel.isa)
            assert m == 0
            assert abs(s / total - 1) <= rounding(online_kernel)


def test_online_keeps_the_bound(online_kernel: fs.Kernel) -> None:
    """The numerators p * s are within the claimed bound of exp, wherever the maximum lies."""
    k = online_kernel
    bound = k.bound if k.bound_kind.startswith("absolute") else 0.0
    for top in (0.0, 1.5, -30.3, 63.9, 64.1, -700.7, 20000.1):
        x = np.asarray(top, dtype=k.dtype) - np.abs(gaussian(k, (4, 257), 3.0))
        p = run(k, x)
        m, s = fs.normalizer(x, k.variant, isa=k.isa)
        numerators = p.astype(np.float64) * s[:, None]
        d = (x.astype(np.float64) - m[:, None]).astype(np.float64)
        # two results of their own rounding are multiplied
        slack = (2 * rounding(k) + k.bound * (bound == 0)) * np.exp(d)
        error = np.abs(numerators - np.exp(d))
        assert (error <= bound + slack).all(), float((error - slack).max())


def test_no_floor_leaks(online_kernel: fs.Kernel) -> None:
    """131072 logits 40 below the top take none of its mass."""
    x = np.full(131073, -40, dtype=online_kernel.dtype)
    x[77] = 0
    p = run(online_kernel, x)
    assert p[77] > 1 - 1e-6
    if online_kernel.domain > -40:
        assert np.count_nonzero(p) == 1


def test_online_keeps_the_order(monotone_online_kernel: fs.Kernel) -> None:
    """Probabilities are ordered as their logits, where the table says so."""
    for offset in (0.0, 63.0, 1000.0):
        x = np.sort(gaussian(monotone_online_kernel, 4097, 9.0)) + np.float32(offset)
        close = np.float32(offset) + np.arange(-2000, 1, dtype=np.float32) * np.float32(2**-12)
        for row in (x, close):
            assert (np.diff(run(monotone_online_kernel, row)) >= 0).all()


def test_generated_weight_is_its_text(generated_weight_kernel: fs.Kernel) -> None:
    """Bit for bit what NumPy makes of the text; where products fuse, within a few roundings."""
    k = generated_weight_kernel
    entry = entry_of(k.variant)
    assert entry is not None
    d = distances(k.dtype, k.domain)
    tiny = np.finfo(k.dtype).tiny
    d = d[(d <= -tiny) | (d == 0)]
    h, wanted = weights(k, d), evaluate_weight(entry, d)
    wanted[np.abs(wanted) < tiny] = 0  # kernels flush denormals
    assert wanted.dtype == k.dtype
    if is_plain(k):
        assert np.array_equal(h, wanted)
    else:
        np.testing.assert_allclose(h, wanted, rtol=2e-5, atol=3e-6)


def test_every_variant_of_the_table_is_offered() -> None:
    """Each row's variant is named by variants(), and entries of the text have rows."""
    for op in {k.op for k in cpu_kernels()}:
        assert set(fs.variants(op)) == {k.variant for k in cpu_kernels() if k.op == op}
    assert fs.variants() == fs.variants("softmax")
    assert fs.variants("normalizer") == fs.variants("logsumexp")
