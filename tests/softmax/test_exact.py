"""Accuracy of the exact variant, on every ISA, against a wider float type."""

import fastsoftmax as fs
import numpy as np
import pytest
from references import (
    ABSOLUTE,
    DOUBLE_RELATIVE,
    LONG_IS_LONGER,
    RELATIVE,
    Floats,
    assert_exact,
    gaussian,
    probabilities,
    run,
    wider,
)
from repository import BENCH

DATA = BENCH / "data" / "minilm_attention_logits.npz"
LONG_ROW = 2**24


@pytest.fixture(autouse=True)
def _wider_float(request: pytest.FixtureRequest) -> None:
    callspec = getattr(request.node, "callspec", None)
    kernel = callspec and callspec.params.get("exact_online_kernel")
    if kernel is not None and kernel.dtype == "float64" and not LONG_IS_LONGER:
        pytest.skip("long double is no wider than float64 on this machine")


def sizes(kernel: fs.Kernel) -> list[int]:
    """Row lengths on both sides of every loop boundary, and some long ones."""
    around = {kernel.lanes * steps + by for steps in (1, 4, 8, 32, 128) for by in (-1, 0, 1)}
    return sorted({*range(1, 40), *around, 129, 1000, 4096, 4097, 100003} - {0})


def typed(kernel: fs.Kernel, value: float) -> Floats:
    """`value` in the dtype of a row."""
    return np.asarray(value, dtype=kernel.dtype)


def test_claim_is_not_weaker_than_the_design(exact_online_kernel: fs.Kernel) -> None:
    """The bound in the table is the promised one or better."""
    promised = RELATIVE if exact_online_kernel.dtype == "float32" else DOUBLE_RELATIVE
    assert exact_online_kernel.bound <= promised


@pytest.mark.parametrize("sigma", [1.0, 4.0, 20.0])
def test_every_length(exact_online_kernel: fs.Kernel, sigma: float) -> None:
    """No loop or tail loses accuracy, an element, or writes one too many."""
    for n in sizes(exact_online_kernel):
        x = gaussian(exact_online_kernel, (2, n), sigma)
        held = np.full((2, n + 2), 7, dtype=x.dtype)
        p = run(exact_online_kernel, x, out=held[:, 1:-1])
        assert_exact(p, x)
        assert (held[:, 0] == 7).all()
        assert (held[:, -1] == 7).all()


@pytest.mark.parametrize("offset", [1e5, -1e5, 1e8, -1e8])
def test_offsets(exact_online_kernel: fs.Kernel, offset: float) -> None:
    """Rows far from 0, where x - max is exact though x is coarse."""
    for n in (5, 129, 4097):
        x = gaussian(exact_online_kernel, (4, n), 20.0) + typed(exact_online_kernel, offset)
        assert_exact(run(exact_online_kernel, x), x)


def test_maxima_of_every_size(exact_online_kernel: fs.Kernel) -> None:
    """Maxima through all magnitudes, both signs: the reduction changes its path with them."""
    for power in np.arange(-10.0, 38.0, 0.5):
        for top in (10.0**power, -(10.0**power)):
            x = typed(exact_online_kernel, top) - np.abs(gaussian(exact_online_kernel, 65, 6.0))
            assert_exact(run(exact_online_kernel, x), x)


def test_whole_numbers_of_octaves(exact_online_kernel: fs.Kernel) -> None:
    """Maxima at and beside multiples of ln 2, where the exponent of a weight is a close call."""
    step = np.log(2.0)
    for k in range(-400, 401):
        top = typed(exact_online_kernel, k * step)
        for x0 in (np.nextafter(top, -np.inf), top, np.nextafter(top, np.inf)):
            x = np.array([x0, x0 - top.dtype.type(0.5), x0 - top.dtype.type(9.7)], top.dtype)
            assert_exact(run(exact_online_kernel, x), x)


@pytest.mark.parametrize("value", [0.0, 1.0, -3.7, 88.7, -1e5, 1e8, 3e38])
def test_constant_rows(exact_online_kernel: fs.Kernel, value: float) -> None:
    """All roundings of the sum go one way here."""
    for n in (1, 3, 1000, 4097, 100003, 1 << 20):
        x = np.full(n, value, dtype=exact_online_kernel.dtype)
        wanted = np.ones(n, dtype=wider(exact_online_kernel.dtype)) / n
        assert_exact(run(exact_online_kernel, x), x, wanted)


@pytest.mark.parametrize("offset", [0.0, 5.3, 8000.346])
def test_attention_sinks(exact_online_kernel: fs.Kernel, offset: float) -> None:
    """One maximum and many equal small weights: each addition to its lane rounds the same way."""
    rng = np.random.default_rng(5)
    for n in (33, 64, 128, 240, 256, 257, 512, 1024, 4096, 100003):
        for below in (*rng.uniform(5, 18, 8 if n < 5000 else 2), 15.586):
            x = np.full((3, n), typed(exact_online_kernel, offset - below))
            x[[0, 1, 2], [0, n // 2, n - 1]] = offset
            assert_exact(run(exact_online_kernel, x), x)


def test_real_logits(exact_online_kernel: fs.Kernel) -> None:
    """Attention logits of a real encoder."""
    if not DATA.exists():
        pytest.skip(f"{DATA.name} is not there: not a checkout")
    with np.load(DATA) as stored:
        logits = stored["logits"]
    x = logits.reshape(-1, logits.shape[-1]).astype(exact_online_kernel.dtype)
    assert len(x) > 4000
    assert_exact(run(exact_online_kernel, x), x)


def test_denormal_window(exact_online_kernel: fs.Kernel) -> None:
    """Results whose exact value is denormal, or close to it, are 0 or normal, never denormal."""
    tiny = np.finfo(exact_online_kernel.dtype).tiny
    edge = 87 if exact_online_kernel.dtype == "float32" else 708
    x = np.zeros((3, 2049), dtype=exact_online_kernel.dtype)
    x[:, 1:] = -np.linspace(edge - 7, edge + 38, 2048)
    p = run(exact_online_kernel, x)
    assert ((p == 0) | (p >= tiny)).all()
    assert (p[x < -(edge + 1)] == 0).all()
    assert (p[x > -(edge - 6)] > 0).all()
    assert_exact(p, x)


@pytest.fixture(scope="module")
def long_row() -> tuple[Floats, Floats]:
    """One row of 2^24 with its probabilities in float64."""
    x = np.random.default_rng(24).standard_normal(LONG_ROW, dtype=np.float32)
    return x, probabilities(x)


def test_row_of_two_to_the_24(
    float32_exact_online_kernel: fs.Kernel, long_row: tuple[Floats, Floats]
) -> None:
    """The bound doesn't grow with the length."""
    x, wanted = long_row
    p = run(float32_exact_online_kernel, x)
    assert abs(float(p.sum(dtype=np.float64)) - 1) <= RELATIVE
    np.subtract(p, wanted, out=p, casting="same_kind")  # a difference of floats so close is exact
    np.abs(p, out=p)
    assert float(p.max()) <= ABSOLUTE
    assert float((p / wanted.astype(np.float32)).max()) <= RELATIVE
    constant = run(float32_exact_online_kernel, np.full(LONG_ROW, -0.3, dtype=np.float32))
    assert float(np.abs(constant * np.float32(LONG_ROW) - 1).max()) <= RELATIVE


def test_normalizer(normalizer_kernel: fs.Kernel) -> None:
    """The maximum is the maximum, and the sum of the exact variant is within its bound."""
    for n in (1, 17, 129, 4097):
        for sigma in (1.0, 20.0):
            x = gaussian(normalizer_kernel, (5, n), sigma)
            m, s = run(normalizer_kernel, x)
            assert np.array_equal(m, x.max(axis=-1))
            if normalizer_kernel.variant == "exact" and wider(x.dtype.name) != x.dtype:
                wide = x.astype(wider(x.dtype.name))
                wanted = np.exp(wide - wide.max(axis=-1, keepdims=True)).sum(axis=-1)
                assert float(np.abs(s / wanted - 1).max()) <= normalizer_kernel.bound


def test_logsumexp(exact_online_kernel: fs.Kernel) -> None:
    """Absolute error from s, plus the rounding of the result."""
    eps = np.finfo(exact_online_kernel.dtype).eps
    for n in (1, 17, 129, 4097):
        for sigma, offset in ((1.0, 0.0), (20.0, 0.0), (4.0, 1e5)):
            x = gaussian(exact_online_kernel, (5, n), sigma) + typed(exact_online_kernel, offset)
            got = fs.logsumexp(x, isa=exact_online_kernel.isa)
            wide = x.astype(wider(exact_online_kernel.dtype))
            m = wide.max(axis=-1, keepdims=True)
            wanted = m[:, 0] + np.log(np.exp(wide - m).sum(axis=-1))
            assert got.dtype == exact_online_kernel.dtype
            bound = exact_online_kernel.bound + eps / 2 * np.abs(wanted)
            assert (np.abs(got - wanted) <= bound).all()


def test_reference_is_right() -> None:
    """The float64 reference agrees with long double but for the rounding of d, 60 at most."""
    x = np.random.default_rng(3).normal(0, 9, (20, 300))
    wanted = probabilities(x)
    np.testing.assert_allclose(fs.reference.online(x), wanted.astype(float), rtol=1e-14)
    m, s = fs.reference.normalizer(x)
    np.testing.assert_allclose(1 / s, wanted.max(axis=-1).astype(float), rtol=4e-15)
    np.testing.assert_allclose(fs.reference.logsumexp(x), m + np.log(s), rtol=4e-15)
    scanned = [fs.reference.scan(row) for row in x]
    np.testing.assert_allclose(scanned, np.stack([m, s], axis=-1), rtol=1e-13)
    np.testing.assert_allclose(fs.reference.online(x.T, axis=0).T, fs.reference.online(x))
