"""The streaming state: however a row is split and whoever adds up, it comes to the same."""

import copy
import pickle
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from typing import Any

import fastsoftmax as fs
import numpy as np
import pytest
from fresh import output
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from references import Floats, assert_exact, wider

DTYPES = ("float32", "float64")
BOUND = {"float32": 5e-7, "float64": 4e-15}
#: What one more merge may add, at worst.
MERGE = 7e-16
SAMPLES = settings(derandomize=True, deadline=None, max_examples=60, database=None)

either_dtype = pytest.mark.parametrize("dtype", DTYPES)


def special() -> st.SearchStrategy[float]:
    """Logits near and far, in float32's range, with infinities and NaN among them."""
    rare = st.sampled_from([-np.inf, -np.inf, -3e38, 3e38, np.inf, np.nan])
    return st.one_of(*[st.floats(-100, 100, width=32)] * 5, rare)


def rows(values: st.SearchStrategy[float]) -> st.SearchStrategy[Floats]:
    """One row of up to 60 logits, or of none."""
    return st.lists(values, max_size=60).map(np.array)


def state_of(x: Floats, dtype: str = "float64") -> fs.MaxSum:
    """Give the state of one chunk along the last axis."""
    return fs.MaxSum(x.shape[:-1], dtype).update(x.astype(dtype))


def assert_same(a: fs.MaxSum, b: fs.MaxSum) -> None:
    """Equal but for the rounding of a few merges."""
    assert np.array_equal(a.m, b.m, equal_nan=True)
    np.testing.assert_allclose(a.s, b.s, rtol=4 * MERGE)


def split(x: Floats, cuts: Sequence[float]) -> list[Floats]:
    """Cut the last axis at shares of its length; parts may be empty."""
    return np.split(x, sorted(round(c * x.shape[-1]) for c in cuts), axis=-1)


@SAMPLES
@given(parts=st.tuples(*[rows(special())] * 3), dtype=st.sampled_from(DTYPES))
def test_merge_is_a_monoid(parts: tuple[Floats, ...], dtype: str) -> None:
    """Associative up to rounding, commutative to the bit, and a fresh state is neutral."""
    a, b, c = (state_of(part, dtype) for part in parts)
    assert_same((a + b) + c, a + (b + c))
    assert a + b == b + a
    fresh = fs.MaxSum(dtype=dtype)
    assert a + fresh == fresh + a == a


@SAMPLES
@given(
    x=arrays(np.float64, st.tuples(st.integers(1, 3), st.integers(1, 200)), elements=special()),
    cuts=st.lists(st.floats(0, 1), max_size=6),
    dtype=st.sampled_from(DTYPES),
)
def test_any_split_is_the_whole(x: Floats, cuts: list[float], dtype: str) -> None:
    """The state, its logsumexp and the probabilities are those of the whole row."""
    x = x.astype(dtype)
    state = fs.MaxSum(x.shape[:1], dtype)
    for part in split(x, cuts):
        assert state.update(part) is state
    m, s = fs.reference.normalizer(x)
    assert np.array_equal(state.m, m.astype(dtype), equal_nan=True)
    bound = BOUND[dtype] + (len(cuts) + 1) * MERGE
    finite = np.isfinite(m)
    np.testing.assert_allclose(np.asarray(state.s)[finite], s[finite], rtol=bound)
    lse = fs.logsumexp(x)
    np.testing.assert_allclose(
        state.logsumexp, lse, rtol=float(np.finfo(dtype).eps), atol=2 * bound
    )
    p = np.concatenate([state.probabilities(part) for part in split(x, cuts)], axis=-1)
    tiny = float(np.finfo(dtype).tiny)
    np.testing.assert_allclose(p, fs.online(x), rtol=2 * bound, atol=2 * tiny)


@either_dtype
@pytest.mark.parametrize("sigma", [0.5, 3, 30, 200])
@pytest.mark.parametrize("offset", [0, 13.7, -5e4])
def test_bound_of_exact(dtype: str, sigma: float, offset: float) -> None:
    """Against the wider type, at many lengths and chunk sizes, with the maximum rising or not."""
    rng = np.random.default_rng(5)
    for n, chunk in ((1, 1), (33, 4), (1000, 1), (5000, 333), (200_000, 40_000)):
        x = (sigma * rng.standard_normal(n) + offset).astype(dtype)
        for row in (x, np.sort(x), np.sort(x)[::-1]):
            parts = [row[i : i + chunk] for i in range(0, n, chunk)]
            state = reduce(fs.MaxSum.update, parts, fs.MaxSum(dtype=dtype))
            wide = row.astype(wider(dtype))
            s = np.exp(wide - wide.max()).sum()
            assert abs(float(state.s / s - 1)) <= BOUND[dtype] + len(parts) * MERGE
            p = np.concatenate([state.probabilities(part) for part in parts])
            assert_exact(p, row)


@either_dtype
def test_many_small_chunks(dtype: str) -> None:
    """The sum is kept in float64: it doesn't stall where float32 would."""
    state = fs.MaxSum(dtype=dtype).update(np.zeros(1 << 24, dtype))
    for _ in range(1000):
        state.update(np.zeros(1, dtype))
    assert state.s == (1 << 24) + 1000
    assert state.s.dtype == np.float64
    for _ in range(30):  # by doubling, far beyond the integers of float32
        state.merge(state)
    assert state.s == ((1 << 24) + 1000) << 30
    assert state.m == 0


@either_dtype
def test_rounding_of_a_difference(dtype: str) -> None:
    """Maxima whose difference float64 can't hold rescale all the same to the last bits."""
    x = np.array([0.1, -19.9, -600.3, -690.7]).astype(dtype)
    state = fs.MaxSum(dtype=dtype)
    for value in np.sort(x):
        state.update(np.full(1000, value))
    p = state.probabilities(x).astype(np.longdouble)
    wide = x.astype(np.longdouble)
    wanted = np.exp(wide - wide[0]) / (1000 * np.exp(wide - wide[0])).sum()
    keep = wanted > np.finfo(dtype).tiny
    assert np.abs(p / wanted - 1)[keep].max() <= BOUND[dtype]
    assert (p[~keep] == 0).all()


@either_dtype
@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3, np.int64(1)])
def test_batch_and_axis(dtype: str, axis: int) -> None:
    """One state for each row of a batch, along any axis, with any strides."""
    x = np.random.default_rng(1).standard_normal((6, 8, 10)).astype(dtype)[::-1, ::2]
    rows = np.moveaxis(x, axis, -1).shape[:-1]
    state = fs.MaxSum(rows, dtype)
    parts = np.array_split(x, 3, axis=int(axis))
    for part in parts:
        state.update(part, axis=axis)
    assert state.shape == state.m.shape == state.s.shape == state.logsumexp.shape == rows
    assert state.dtype == state.m.dtype == state.logsumexp.dtype == np.dtype(dtype)
    np.testing.assert_allclose(state.logsumexp, fs.logsumexp(x, axis=axis), atol=1e-6)
    p = np.concatenate([state.probabilities(part, axis=axis) for part in parts], axis=int(axis))
    assert p.dtype == np.dtype(dtype)
    np.testing.assert_allclose(p, fs.online(x, axis=axis), rtol=2 * BOUND[dtype])


@either_dtype
def test_edges(dtype: str) -> None:
    """The rules of `online`, whichever chunk holds the special value."""
    inf, nan = np.inf, np.nan
    first = np.array([[-inf] * 3, [0, -inf, 0], [0, nan, 0], [0, 0, 0], [1, 2, 3]], dtype)
    second = np.array([[-inf] * 3, [-inf] * 3, [0, 0, 0], [0, inf, 0], [inf, 0, nan]], dtype)
    with np.errstate(all="raise"):
        state = state_of(first, dtype).update(second)
        assert np.array_equal(state.m, [-inf, 0, nan, inf, nan], equal_nan=True)
        assert np.array_equal(state.s, [0, 2, nan, nan, nan], equal_nan=True)
        lse = np.array([-inf, np.log(2), nan, inf, nan], dtype)
        assert np.array_equal(state.logsumexp, lse, equal_nan=True)
        p = state.probabilities(first)
        assert np.isnan(p[[0, 2, 3, 4]]).all()
        assert p[1].tolist() == [0.5, 0, 0.5]
        assert (state.probabilities(second)[1] == 0).all()
        # what isn't in the sum follows the same formula, and nothing can be made of no sum
        assert np.isinf(state.probabilities(np.full((5, 1), 1e30, dtype))[1])
        assert np.isnan(fs.MaxSum((), dtype).probabilities(np.array([0, -inf], dtype))).all()


@either_dtype
def test_flushes_as_online_does(dtype: str) -> None:
    """Exactly 0 where `online` gives 0, and never a denormal."""
    lowest = {"float32": -87.25, "float64": -708.0}[dtype]
    x = np.concatenate([np.zeros(3), np.linspace(lowest - 2, lowest + 5, 2001)]).astype(dtype)
    p, wanted = state_of(x, dtype).probabilities(x), fs.online(x)
    tiny = np.finfo(dtype).tiny
    assert (p[x <= lowest] == 0).all()
    assert ((p == 0) | (p >= tiny)).all()
    assert np.abs(p - wanted).max() <= 1.01 * tiny


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 5), (2, 0, 3)])
def test_nothing_to_add(shape: tuple[int, ...]) -> None:
    """An empty chunk or batch changes nothing and has no probabilities."""
    x = np.empty(shape, np.float32)
    state = fs.MaxSum(shape[:-1]).update(x)
    assert state == fs.MaxSum(shape[:-1])
    assert state.probabilities(x).shape == shape
    assert np.array_equal(state.logsumexp, fs.logsumexp(x))


@either_dtype
def test_out(dtype: str) -> None:
    """Written in place, into any strides, and into memory that half overlaps."""
    base = np.random.default_rng(2).standard_normal(40_003).astype(dtype)
    x = base[:40_000].reshape(4, 10_000)
    state = state_of(x, dtype)
    wanted = state.probabilities(x)
    turned = np.empty(x.shape[::-1], dtype).T
    assert state.probabilities(x, out=turned) is turned
    assert np.array_equal(turned, wanted)
    held = x.copy()
    assert state.probabilities(held, out=held) is held
    assert np.array_equal(held, wanted)
    ahead = base[3:].reshape(x.shape)
    assert np.array_equal(state.probabilities(x, out=ahead), wanted)


def test_read_only_and_mapped_chunks(tmp_path: Any) -> None:
    """Chunks of a file are read where they lie; the state is of the same values."""
    x = np.random.default_rng(3).standard_normal(5000).astype(np.float32)
    x.tofile(tmp_path / "logits")
    mapped = np.memmap(tmp_path / "logits", np.float32, "r")
    assert state_of(x, "float32") == fs.MaxSum().update(mapped)
    p = state_of(x, "float32").probabilities(mapped)
    assert type(p) is np.ndarray
    assert_exact(p, x)


@either_dtype
@pytest.mark.parametrize("shape", [(), (3,), (2, 0), (2, 3)])
def test_pickle_and_copy(dtype: str, shape: tuple[int, ...]) -> None:
    """Every protocol gives an equal state, which goes its own way afterwards."""
    x = np.random.default_rng(4).standard_normal((*shape, 7)).astype(dtype)
    for state in (fs.MaxSum(shape, dtype), state_of(x, dtype)):
        before = copy.copy(state)
        dumps = [pickle.dumps(state, p) for p in range(pickle.HIGHEST_PROTOCOL + 1)]
        for twin in (*map(pickle.loads, dumps), copy.copy(state), copy.deepcopy(state)):
            assert type(twin) is fs.MaxSum
            assert twin == state
            assert (twin.shape, twin.dtype) == (shape, np.dtype(dtype))
            twin.update(np.full((*shape, 1), 9, dtype))
            assert state == before
            assert (twin != state) == (state.m.size > 0)


def test_state_is_read_only() -> None:
    """What was handed out neither changes nor can be changed."""
    state = fs.MaxSum(2).update(np.zeros((2, 3), np.float32))
    m, s = state.m, state.s
    state.update(np.ones((2, 3), np.float32))
    assert m.tolist() == [0, 0]
    assert s.tolist() == [3, 3]
    for part in (m, s, pickle.loads(pickle.dumps(state)).m):
        with pytest.raises(ValueError, match="read-only"):
            part[0] = 1
    with pytest.raises(AttributeError):
        state.m = m  # type: ignore[misc]


def test_sum_and_equality() -> None:
    """`+` makes a new state, `+=` and `merge` don't; `sum` takes a fresh one to start from."""
    a, b = (state_of(np.array([x, 1.0])) for x in (0.0, 2.0))
    kept = copy.copy(a)
    total = a + b
    assert a == kept != total
    assert sum([a, b], fs.MaxSum(dtype=np.float64)) == total
    same = a
    a += b
    assert a is same
    assert a == total
    assert a.merge(fs.MaxSum(dtype=np.float64)) is a
    assert a != 1
    assert fs.MaxSum() != fs.MaxSum(dtype=np.float64)
    assert fs.MaxSum() != fs.MaxSum(1)
    with pytest.raises(TypeError, match="unhashable"):
        hash(a)


def test_repr() -> None:
    """Shows what there is to know, in short."""
    state = fs.MaxSum().update(np.zeros(3, np.float32))
    assert repr(state) == "<MaxSum of float32: m = 0.0, s = 3.0>"
    assert repr(fs.MaxSum((10, 2), "f8")) == "<MaxSum of float64, a batch of shape (10, 2)>"


def test_threads() -> None:
    """Each thread its own state, merged at the end: the same bits in whatever order they end."""
    x = np.random.default_rng(6).standard_normal((8, 200_000)).astype(np.float32)
    with ThreadPoolExecutor(4) as pool:
        states = list(pool.map(lambda part: fs.MaxSum().update(part), x))
    total = reduce(fs.MaxSum.merge, states, fs.MaxSum())
    assert total == reduce(fs.MaxSum.update, x, fs.MaxSum())
    assert_exact(total.probabilities(x.ravel()), x.ravel())


def test_another_process() -> None:
    """A state that was pickled elsewhere goes on here."""
    code = (
        "import pickle, numpy as np, fastsoftmax as fs;"
        "print(pickle.dumps(fs.MaxSum(2).update(np.ones((2, 5), np.float32))).hex())"
    )
    there: fs.MaxSum = pickle.loads(bytes.fromhex(output("-c", code)))
    total = there + fs.MaxSum(2).update(np.zeros((2, 5), np.float32))
    np.testing.assert_allclose(total.s, 5 + 5 * np.exp(-1), rtol=BOUND["float32"])
