"""float16 and bfloat16: the float32 result, rounded once."""

from typing import Any

import fastsoftmax as fs
import numpy as np
import pytest

SHAPES = [(7, 5), (3, 4, 50), (40, 129), (3, 4097), (1, 70000)]
OPERATIONS = (fs.online, fs.log_softmax)


def bfloat16() -> Any:
    """Return the dtype, if the package that has it is there."""
    return np.dtype(pytest.importorskip("ml_dtypes").bfloat16)


@pytest.fixture(params=["float16", "bfloat16"])
def half(request: pytest.FixtureRequest) -> Any:
    """Each of the two dtypes."""
    return bfloat16() if request.param == "bfloat16" else np.dtype(np.float16)


@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize("shape", SHAPES)
def test_one_rounding(
    float32_online_kernel: fs.Kernel, half: Any, shape: tuple[int, ...], axis: int
) -> None:
    """A half result is the nearest to the float32 result of the same logits, ties to even."""
    x = (3 * np.random.default_rng(0).standard_normal(shape)).astype(half)
    call: dict[str, Any] = {"axis": axis, "isa": float32_online_kernel.isa}
    for operation in OPERATIONS:
        p = operation(x, float32_online_kernel.variant, **call)
        wide = operation(x.astype(np.float32), float32_online_kernel.variant, **call)
        assert p.dtype == half
        if operation is fs.online:
            # another way through the kernels may move the last bit of a float32: across a tie, no
            # further than to the neighbour
            apart = np.abs(p.view(np.int16).astype(int) - wide.astype(half).view(np.int16))
            assert apart.max() <= 1
            assert (apart != 0).mean() <= 1e-3
        close = np.abs(p.astype(np.float64) - wide) <= 0.51 * np.spacing(np.abs(p)).astype(float)
        assert close.all()


def test_all_halves_survive(half: Any) -> None:
    """A row of one logit per pattern: all 65536, denormals, infinities and NaN included."""
    x = np.arange(65536, dtype=np.uint16).view(half)
    wide = x.astype(np.float32)
    for isa in fs.isas("online"):
        m = fs.normalizer(x[:, None], isa=isa)[0]
        wanted = fs.normalizer(wide[:, None], isa=isa)[0]
        assert np.array_equal(m, wanted, equal_nan=True)


def test_all_results_are_rounded_to_nearest(half: Any) -> None:
    """Log probabilities next to every kind of tie: log_softmax of two logits (x, far above)."""
    rng = np.random.default_rng(3)
    x = np.stack([rng.uniform(-9, 0, 20000), np.zeros(20000)], axis=1).astype(half)
    for isa in fs.isas("online"):
        y = fs.log_softmax(x, isa=isa)
        wide = fs.log_softmax(x.astype(np.float32), isa=isa)
        assert np.array_equal(y.view(np.int16), wide.astype(half).view(np.int16))


def test_small_probabilities_stay(half: Any) -> None:
    """Denormal halves are results like others; float32's flushing doesn't reach them."""
    x = np.array([0, -12, -15, -16, -16.5], dtype=half)
    for isa in fs.isas("online"):
        p = fs.online(x, isa=isa)
        wanted = fs.reference.online(x.astype(np.float64)).astype(half)
        assert np.array_equal(p.view(np.int16), wanted.view(np.int16))
        assert (p > 0).all()


def test_reductions(half: Any) -> None:
    """The dtype is kept by logsumexp; (m, s) is float32."""
    x = np.zeros((2, 100000), dtype=half)
    m, s = fs.normalizer(x)
    assert m.dtype == s.dtype == np.float32
    assert s.tolist() == [100000.0] * 2
    total = fs.logsumexp(x)
    assert total.dtype == half
    assert np.array_equal(total, np.log(np.full(2, 1e5)).astype(half))
    assert fs.logsumexp(x[0]).dtype == half


def test_out_and_in_place(half: Any) -> None:
    """`out` must be of the same dtype, and may be the logits."""
    x = np.random.default_rng(0).standard_normal((5, 70)).astype(half)
    wanted = fs.online(x).view(np.int16)
    out = np.empty_like(x)
    assert fs.online(x, out=out) is out
    assert np.array_equal(out.view(np.int16), wanted)
    assert fs.online(x, out=x) is x
    assert np.array_equal(x.view(np.int16), wanted)
    with pytest.raises(TypeError, match="out has dtype"):
        fs.online(x, out=np.empty(x.shape, dtype=np.float32))
    with pytest.raises(TypeError, match="out has dtype"):
        fs.online(x, out=np.empty(x.shape, dtype=np.uint16))


@pytest.mark.parametrize("n", [6143, 6144, 40000, 300000])
def test_long_rows_with_edges(half: Any, n: int) -> None:
    """Weights that wait and weights taken twice; bad and extreme rows, in place too."""
    x = (3 * np.random.default_rng(n).standard_normal((5, n))).astype(half)
    x[1, n - 3] = np.nan
    x[2] = -np.inf
    x[3, :4096] = -30000
    x[4, 5000] = 30000
    for isa in fs.isas("online"):
        _check_edges(x, isa)


def _check_edges(x: Any, isa: str) -> None:
    half, n = x.dtype, x.shape[1]
    p = fs.online(x, isa=isa)
    assert np.isnan(p[1:3].astype(np.float32)).all()
    wanted = fs.reference.online(x[[0, 3, 4]].astype(np.float32)).astype(half)
    found = p[[0, 3, 4]]
    apart = np.abs(found.view(np.int16).astype(int) - wanted.view(np.int16))
    assert apart.max() <= 1
    assert (apart != 0).mean() <= 1e-3
    keep = np.random.default_rng(1).random((5, n)) < 0.5
    keep[0] = False
    masked = fs.online(x, mask=keep, isa=isa)
    assert (masked[0] == 0).all()
    assert (masked[3:][~keep[3:]] == 0).all()
    again = x.copy()
    assert fs.online(again, mask=keep, out=again, isa=isa) is again
    assert np.array_equal(again.view(np.int16), masked.view(np.int16))
    again[...] = x
    assert fs.online(again, out=again, isa=isa) is again
    assert np.array_equal(again.view(np.int16), p.view(np.int16))


def test_words_are_no_bfloats() -> None:
    """Unsigned integers aren't taken for the bits of something."""
    with pytest.raises(TypeError, match=r"uint16.*astype"):
        fs.online(np.zeros(3, dtype=np.uint16))
