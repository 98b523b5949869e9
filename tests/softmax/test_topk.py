"""The k largest probabilities: their places by sorting, their values by softmax, on every row."""

from typing import Any

import fastsoftmax as fs
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from references import Floats, below_max, gaussian, probabilities

FUSED = 64  # above that a row is sorted
BOUND = {"float32": 5e-7, "float64": 4e-15}
INFINITE = float("inf")

# The same examples in every run: a failure here is a failure anywhere.
ROW_BY_ROW = settings(
    derandomize=True,
    deadline=None,
    max_examples=25,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
#: Few values, so that ties abound, and all that isn't a number.
NASTY = st.sampled_from([0.0, -0.0, 0.5, 1.0, 2.0, -3.0, -30.0, 70.0, INFINITE, -INFINITE, np.nan])
TIED = st.sampled_from([0.0, 0.25, -1.0, 3.0, -INFINITE])


def run(kernel: fs.Kernel, x: Floats, k: int, **options: Any) -> tuple[Floats, Floats]:
    """Call the operation on the ISA of a row."""
    p, places = fs.topk(x, k, isa=kernel.isa, **options)
    assert p.dtype == x.dtype
    assert places.dtype == np.int64
    return p, places


def assert_right(kernel: fs.Kernel, x: Floats, k: int) -> None:
    """Hold the last axis to the order of the reference, and to the bound of the row."""
    p, places = run(kernel, x, k)
    assert np.array_equal(places, fs.reference.topk(x, k)[1])
    ordinary = np.isfinite(x.max(axis=-1))
    assert np.isnan(p[~ordinary]).all()
    x, p, places = x[ordinary], p[ordinary], places[ordinary]
    wanted = np.take_along_axis(probabilities(x), places, -1)
    error = np.abs(p - wanted)
    near = np.take_along_axis(below_max(x), places, -1) > -20
    assert float(error.max(initial=0)) <= 3e-7
    assert float(np.max(error[near] / wanted[near], initial=0)) <= kernel.bound


def test_claim_is_not_weaker_than_the_design(topk_kernel: fs.Kernel) -> None:
    """The bound in the table is that of `online` or better."""
    assert topk_kernel.bound <= BOUND[topk_kernel.dtype]


@pytest.mark.parametrize("sigma", [1.0, 5.0])
def test_every_length(topk_kernel: fs.Kernel, sigma: float) -> None:
    """No loop or tail passes over an element; k on both sides of what is fused."""
    lanes = topk_kernel.lanes
    around = {lanes * steps + by for steps in (1, 4, 8, 64) for by in (-1, 0, 1)}
    for n in sorted({*range(1, 20), *around, 100, 1023, 1024, 4097, 20011} - {0}):
        x = gaussian(topk_kernel, (2, n), sigma)
        for k in {1, 5, 50, FUSED, FUSED + 1, n} if n < 2000 else {5, FUSED}:
            assert_right(topk_kernel, x, min(k, n))


@pytest.mark.parametrize("k", [1, 5, 16, 50, FUSED])
def test_orders_that_fill_the_list_again_and_again(topk_kernel: fs.Kernel, k: int) -> None:
    """Ascending, descending, in steps, and rising beside a period that hides it from a sample."""
    ramp = np.arange(30000, dtype=topk_kernel.dtype) / 2000
    hidden = np.where(np.arange(30000) % 64 == 0, ramp - 1, ramp).astype(ramp.dtype)
    steps = np.floor(ramp * 3)
    assert_right(topk_kernel, np.stack([ramp, ramp[::-1], hidden, steps, -steps]), k)


def test_blocks_far_apart(topk_kernel: fs.Kernel) -> None:
    """A row's blocks with maxima of all sizes: weighed by their own, left out, or summed again."""
    dtype = topk_kernel.dtype
    lowest = float(np.finfo(dtype).min)
    tops = [0.0, -50.0, 90.0, -1e3, 3e4, -3e4, -3e4 + 1, 1e30, lowest, -INFINITE]
    noise = -np.abs(gaussian(topk_kernel, (4, 4096), 3.0))
    rng = np.random.default_rng(0)
    for _ in range(40):
        chosen = rng.choice(tops, 4)
        with np.errstate(over="ignore"):
            x = (noise + chosen.astype(dtype)[:, None]).reshape(1, -1)
        assert_right(topk_kernel, x, 9)
    x = np.full((1, 5000), lowest, dtype)
    x[0, 4999] = np.nan
    p, places = run(topk_kernel, x, 3)
    assert np.isnan(p).all()
    assert places.tolist() == [[0, 1, 2]]


@ROW_BY_ROW
@given(
    x=arrays(np.float64, st.tuples(st.integers(1, 3), st.integers(1, 150)), elements=NASTY),
    share=st.floats(0, 1),
)
def test_nothing_confuses_the_order(topk_kernel: fs.Kernel, x: Floats, share: float) -> None:
    """Ties go by place, then come -inf and NaN; rows without a softmax are NaN and ranked alike."""
    assert_right(topk_kernel, x.astype(topk_kernel.dtype), round(share * x.shape[1]))


@ROW_BY_ROW
@given(x=arrays(np.float64, 90, elements=TIED), k=st.integers(0, FUSED))
def test_more_only_adds(topk_kernel: fs.Kernel, x: Floats, k: int) -> None:
    """The k largest are the first k of all, which the other way through the library finds."""
    x = x.astype(topk_kernel.dtype)
    some, all_of_them = run(topk_kernel, x, k), run(topk_kernel, x, len(x))
    assert np.array_equal(some[1], all_of_them[1][:k])
    np.testing.assert_allclose(some[0], all_of_them[0][:k], rtol=2 * topk_kernel.bound)
    assert np.array_equal(np.sort(all_of_them[1]), np.arange(len(x)))
    assert np.array_equal(all_of_them[0], fs.online(x, isa=topk_kernel.isa)[all_of_them[1]])


@pytest.mark.parametrize("k", [0, 3, FUSED + 2])
@pytest.mark.parametrize("axis", [-1, 0, 1, -2])
def test_layouts(topk_kernel: fs.Kernel, axis: int, k: int) -> None:
    """Any axis and any strides; the results lie where the axis was, without gaps."""
    base = gaussian(topk_kernel, (70, 80, 3), 2.0)
    for x in (base[:, :68], base.transpose(2, 0, 1)[::-1], base[::-1, ::-1, ::-1]):
        if x.shape[axis] < k:
            continue
        p, places = run(topk_kernel, x, k, axis=axis)
        wanted, where = fs.reference.topk(x, k, axis=axis)
        assert p.shape == places.shape == where.shape
        assert p.flags.c_contiguous
        assert np.array_equal(places, where)
        np.testing.assert_allclose(p, wanted, rtol=topk_kernel.bound)


def test_same_bits_in_any_company(topk_kernel: fs.Kernel) -> None:
    """Alone or among others, at any alignment, from any number of threads."""
    x = gaussian(topk_kernel, (37, 9001), 2.0)
    p, places = run(topk_kernel, x, 20, threads=1)
    for threads in (2, 3, 16):
        shared = run(topk_kernel, x, 20, threads=threads)
        assert np.array_equal(shared[0], p)
        assert np.array_equal(shared[1], places)
    for r in (0, 17, 36):
        assert np.array_equal(run(topk_kernel, x[r], 20)[0], p[r])
        assert np.array_equal(run(topk_kernel, x[r, ::-1][::-1].copy(), 20)[0], p[r])


@pytest.mark.parametrize("k", [4, FUSED + 1])
def test_scale_and_mask(topk_kernel: fs.Kernel, k: int) -> None:
    """Ranked is what is left of scale * x + mask; where nothing is left, all is 0."""
    x = gaussian(topk_kernel, (5, 6, 200), 2.0)
    rng = np.random.default_rng(0)
    keep = rng.random((6, 200)) < 0.5
    keep[2] = False
    added = np.where(keep, rng.standard_normal((6, 200)), -INFINITE).astype(x.dtype)
    x[1, 2, 3] = np.nan  # where the mask has left nothing
    for mask in (keep, added):
        p, places = run(topk_kernel, x, k, scale=-0.75, mask=mask)
        wanted, where = fs.reference.topk(x, k, scale=-0.75, mask=mask)
        assert np.array_equal(places, where)
        np.testing.assert_allclose(p, wanted, rtol=3e-6 if x.itemsize == 4 else 1e-14)
        assert not p[:, 2].any()
        assert np.array_equal(places[0, 2], np.arange(k))


def test_denormal_logits_are_zeros(topk_kernel: fs.Kernel) -> None:
    """Whichever way finds them."""
    tiny = np.finfo(topk_kernel.dtype).smallest_subnormal
    x = np.array([0.0, tiny, -tiny, 0.0] * 30, dtype=topk_kernel.dtype)
    for k in (7, 100):
        assert np.array_equal(run(topk_kernel, x, k)[1], np.arange(k))


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_halves(float32_topk_kernel: fs.Kernel, name: str) -> None:
    """Ranked and computed as float32, probabilities rounded once."""
    half = np.dtype(name if name == "float16" else pytest.importorskip("ml_dtypes").bfloat16)
    x = (3 * np.random.default_rng(0).standard_normal((4, 5000))).astype(half)
    for view, axis in ((x, -1), (x.T, 0)):
        for k in (10, FUSED + 1):
            p, places = fs.topk(view, k, axis=axis, isa=float32_topk_kernel.isa)
            wide = view.astype(np.float32)
            wanted, where = fs.topk(wide, k, axis=axis, isa=float32_topk_kernel.isa)
            assert p.dtype == half
            assert np.array_equal(places, where)
            # two ways through the library: a last bit of float32 may lie across a tie
            apart = np.abs(p.view(np.int16).astype(int) - wanted.astype(half).view(np.int16))
            assert apart.max() <= 1
            assert (apart != 0).mean() <= 0.02


def test_empty_axes() -> None:
    """No element leaves k = 0; no row leaves no result; neither is an error."""
    for shape, k, wanted in (((3, 0), 0, (3, 0)), ((0, 5), 2, (0, 2)), ((2, 4), 0, (2, 0))):
        for array in fs.topk(np.zeros(shape, np.float32), k):
            assert array.shape == wanted
    assert fs.topk(np.zeros((0, 5, 2)), 3, axis=1)[1].shape == (0, 3, 2)


X = np.zeros((2, 7), np.float32)


@pytest.mark.parametrize(
    ("k", "kind", "words"),
    [
        (8, ValueError, r"k is 8.*axis -1 has 7 elements"),
        (-1, ValueError, r"k is -1.*0 to that"),
        (2**80, ValueError, r"k is 1208925819614629174706176"),
        (2.0, TypeError, r"k must be an integer, not 2\.0"),
        (True, TypeError, r"k must be an integer, not True"),
        (None, TypeError, r"k must be an integer, not None"),
    ],
)
def test_bad_k(k: Any, kind: type[Exception], words: str) -> None:
    """Refused in words."""
    with pytest.raises(kind, match=words):
        fs.topk(X, k)


def test_other_bad_input() -> None:
    """Refused as by the other operations; what can be mended is."""
    with pytest.raises(TypeError, match=r"int64.*astype\(np\.float32\)"):
        fs.topk(np.zeros(3, np.int64), 1)
    with pytest.raises(ValueError, match="axis 2 is out of range"):
        fs.topk(X, 1, axis=2)
    with pytest.raises(ValueError, match="mask has shape"):
        fs.topk(X, 1, mask=np.ones(3, bool))
    with pytest.raises(ValueError, match="isa 'abacus' can't run topk"):
        fs.topk(X, 1, isa="abacus")
    k: Any = np.int64(2)
    assert fs.topk(X, k, axis=-k, scale=2)[1].tolist() == [[0] * 7, [1] * 7]


def test_torch() -> None:
    """Tensors in, tensors out, in every dtype."""
    torch = pytest.importorskip("torch")
    rows = torch.randn(3, 5, 200)
    # halves: one rounding of the float32 result; the others by their bounds
    bounds = {
        torch.float32: 5e-7,
        torch.float64: 4e-15,
        torch.float16: 2**-10.9,
        torch.bfloat16: 2**-7.9,
    }
    for dtype, bound in bounds.items():
        for x, axis in ((rows.to(dtype), -1), (rows.to(dtype).transpose(0, 2), 0)):
            p, places = fs.topk(x, 4, axis=axis)
            assert p.dtype == dtype
            assert places.dtype == torch.int64
            wanted = torch.softmax(x.double(), axis).gather(axis, places)
            assert torch.allclose(p.double(), wanted, rtol=bound, atol=0)
            assert torch.equal(x.gather(axis, places), x.topk(4, axis).values)


def test_jax() -> None:
    """JAX arrays in, JAX arrays out."""
    jax = pytest.importorskip("jax")
    x = jax.numpy.asarray(gaussian(fs.kernels()[0], (3, 200)), dtype="bfloat16")
    p, places = fs.topk(x, 4)
    assert isinstance(p, jax.Array)
    assert p.dtype == x.dtype
    assert np.array_equal(places, fs.topk(np.asarray(x, dtype=np.float32), 4)[1])
