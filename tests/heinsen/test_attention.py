"""Heinsen attention against eq. 1 in float64, on every row of the registry, and its state."""

import copy
import io
import pickle
import tracemalloc
from typing import Any

import fastsoftmax as fs
import numpy as np
import pytest
from fastsoftmax import _core, heinsen
from fastsoftmax.reference.heinsen import quadratic
from numpy.typing import NDArray

Floats = NDArray[Any]
SHAPES = [(1, 1, 1), (7, 3, 5), (50, 32, 32), (65, 33, 70), (24, 1, 129)]


def tokens(n: int, d_k: int, d_v: int, dtype: Any = np.float32, scale: float = 1.0) -> list[Floats]:
    """q, k, v of one head."""
    rng = np.random.default_rng([n, d_k, d_v])
    q, k = (scale * rng.standard_normal((n, d_k)) for _ in range(2))
    return [a.astype(dtype) for a in (q, k, rng.standard_normal((n, d_v)))]


def assert_near(y: Any, q: Floats, k: Floats, v: Floats, bound: float, **options: Any) -> None:
    """Hold answers to a bound relative to the mixture of absolute values."""
    size = quadratic(q, k, np.abs(v), **options)
    assert y.shape == size.shape
    assert float(np.max(np.abs(y - quadratic(q, k, v, **options)) / size)) <= bound


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_equals_the_quadratic_form(heinsen_kernel: fs.Kernel, causal: bool, scale: float) -> None:
    """All sizes around vectors and blocks; signed values; keys and queries far apart."""
    for shape in SHAPES:
        q, k, v = tokens(*shape, heinsen_kernel.dtype, scale)
        y = heinsen.attention(q, k, v, causal=causal, isa=heinsen_kernel.isa)
        assert y.dtype == q.dtype
        wide = scale > 1 and heinsen_kernel.dtype == "float64"  # the reference rounds there, too
        assert_near(y, q, k, v, 1e-10 if wide else heinsen_kernel.bound, causal=causal)


@pytest.mark.parametrize("chunk", [1, 7, 64, 100])
@pytest.mark.parametrize("initial", ["empty", "zeros"])
def test_chunks(chunk: int, initial: Any) -> None:
    """Any split of the tokens gives the same answers; "zeros" is a token of key 0 and value 1."""
    q, k, v = tokens(100, 20, 17)
    state = heinsen.State((), 20, 17, initial=initial)
    parts = [state.step(*(a[t : t + chunk] for a in (q, k, v))) for t in range(0, 100, chunk)]
    phantom = initial == "zeros"
    assert_near(np.concatenate(parts), q, k, v, 5e-6, phantom=phantom)
    split = heinsen.State((), 20, 17, initial=initial)
    for t in range(0, 100, chunk):
        split.update(k[t : t + chunk], v[t : t + chunk])
    assert_near(split.attend(q), q, k, v, 5e-6, phantom=phantom, causal=False)


def test_complex_logarithms() -> None:
    """Eq. 3 with the complex log of signed values gives the same real mixtures."""
    q, k, v = tokens(9, 4, 3, np.float64)
    terms = q[:, None, :, None] + k[None, :, :, None] + np.log(v.astype(complex))[None, :, None, :]
    mixed = np.exp(terms).sum(axis=(1, 2)) / np.exp(q[:, None] + k[None]).sum(axis=(1, 2))[:, None]
    y = heinsen.attention(q, k, v, causal=False)
    assert np.allclose(y, mixed.real, rtol=0, atol=1e-13)


def test_constants_cancel() -> None:
    """Adding a number to all of q or of k changes nothing but roundings of the sum."""
    q, k, v = tokens(40, 8, 8)
    q, k = np.round(q * 64) / 64, np.round(k * 64) / 64  # so that the shifts are exact
    plain = heinsen.attention(q, k, v)
    assert np.allclose(heinsen.attention(q + 512, k, v), plain, rtol=0, atol=2e-6)
    assert np.allclose(heinsen.attention(q, k - 1024, v), plain, rtol=0, atol=2e-6)


def test_merge_equals_joint() -> None:
    """States of disjoint tokens merge to that of all, also with one that saw nothing."""
    q, k, v = tokens(60, 8, 6)
    left = heinsen.State((), 8, 6).update(k[:25], v[:25])
    left.merge(heinsen.State((), 8, 6).update(k[25:], v[25:])).merge(heinsen.State((), 8, 6))
    assert_near(left.attend(q), q, k, v, 5e-6, causal=False)


def test_appended_token_is_seen_by_all() -> None:
    """Non-causal (eq. 8): one more key changes the answers of all queries; n_q may differ."""
    q, k, v = tokens(30, 8, 6)
    before = heinsen.attention(q[:11], k[:-1], v[:-1], causal=False)
    after = heinsen.attention(q[:11], k, v, causal=False)
    assert after.shape == (11, 6)
    assert np.all(np.any(before != after, axis=1))


def test_skipped_features_and_poison() -> None:
    """-inf in k skips a feature; an empty state answers NaN; so does NaN in k, from there on."""
    q, k, v = tokens(20, 6, 4)
    k[:, 2], k[3:9, 4] = -np.inf, -np.inf
    assert_near(heinsen.attention(q, k, v), q, k, v, 5e-6)
    assert np.all(np.isnan(heinsen.State((), 6, 4).attend(q)))
    k[10, 0] = np.nan
    y = heinsen.attention(q, k, v)
    assert np.all(np.isfinite(y[:8]))
    assert np.all(np.isnan(y[10:]))


def test_batches_halves_threads() -> None:
    """Batch dimensions, half inputs, any layout; the same bits for any number of threads."""
    rng = np.random.default_rng(1)
    q, k, v = (rng.standard_normal((2, 3, 500, 16)).astype(np.float16) for _ in range(3))
    y = heinsen.attention(q, k, v, threads=1)
    assert y.dtype == np.float16
    single = [np.asarray(a, np.float32) for a in (q, k, v)]
    y, state = heinsen.attention(*single, return_state=True, threads=1)
    assert np.array_equal(y, heinsen.attention(*single, threads=4))
    assert np.array_equal(y[1, 2], heinsen.attention(*(a[1, 2] for a in single)))
    more = heinsen.attention(*single, state=state)
    assert np.array_equal(more, heinsen.attention(*(a.copy("F") for a in single), state=state))


@pytest.mark.parametrize("values", ["v", "log_v"])
def test_threads_share_a_head(values: str) -> None:
    """Panels of one head over threads: the same bits, and the same state afterwards."""
    q, k, v = tokens(300, 32, 70)
    k[150] += 40  # a rise that takes tokens one by one
    how: dict[str, Any] = {values: v, "return_state": True}
    whole, state = heinsen.attention(q, k, threads=1, **how)
    for threads in (2, 3, 5):
        y, after = heinsen.attention(q, k, threads=threads, **how)
        assert np.array_equal(y, whole)
        assert np.array_equal(after.attend(q), state.attend(q))


def test_no_earlier_answer_sees_what_is_not_finite() -> None:
    """NaN and infinities in k or v spoil no answer before them."""
    for bad in (np.nan, np.inf, -np.inf):
        q, k, v = tokens(40, 5, 3)
        v[20, 1] = bad
        y = heinsen.attention(q, k, v)
        assert np.all(np.isfinite(y[:20]))
        assert not np.any(np.isfinite(y[20:, 1]))
        assert np.all(np.isfinite(y[:, [0, 2]]))
    k[30, 2] = np.inf
    assert np.all(np.isfinite(heinsen.attention(q, k, v)[:30, 0]))


def test_memory_beside_inputs_and_answers() -> None:
    """One state: no n d_k d_v, no n^2, however long."""
    q, k, v = tokens(20_000, 16, 16)
    tracemalloc.start()
    y = heinsen.attention(q, k, v)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak - y.nbytes < 100_000


@pytest.mark.parametrize("one_by_one", [False, True])
def test_long_run(one_by_one: bool) -> None:
    """Errors grow slowly: a million positive tokens in float32 against float64, causal."""
    q, k, v = tokens(1_000_000, 4, 4)
    v = np.abs(v)
    wanted = heinsen.attention(*(a.astype(np.float64) for a in (q, k, v)))
    y = np.empty_like(v)
    if one_by_one:
        data = heinsen.State((), 4, 4)._data.ravel()
        _core.heinsen_tokens("", data, q.ravel(), k.ravel(), v.ravel(), y.ravel(), 4, 4)
    else:
        y = heinsen.attention(q, k, v)
    assert float(np.max(np.abs(y / wanted - 1))) <= 1e-4


@pytest.mark.parametrize("count", [1, 5, 8, 11])
def test_tokens_one_by_one_are_all_there(count: int) -> None:
    """Whatever a state is asked after single tokens, it has seen them all."""
    q, k, v = tokens(count, 6, 20)
    v = np.abs(v)
    state = heinsen.State((), 6, 20)
    for t in range(count):
        state.step(q[t], k[t], v[t])
    H_S, H_Z = state.copy().to_log()
    assert np.allclose(H_Z, np.log(np.exp(k).sum(0)), atol=1e-5)
    assert np.allclose(H_S, np.log(np.exp(k).T @ v), atol=1e-5)
    others = [pickle.loads(pickle.dumps(state)), heinsen.State((), 6, 20).merge(state)]
    others += [state.copy(), state]
    for other in others:
        assert_near(other.attend(q), q, k, v, 5e-6, causal=False)
        more = other.update(k, v).update(k[0], v[0])
        assert_near(more.attend(q), q, np.r_[k, k, k[:1]], np.r_[v, v, v[:1]], 5e-6, causal=False)


def test_copies_and_files() -> None:
    """Copies, files and pickles answer alike, and are independent."""
    q, k, v = tokens(10, 5, 3)
    state = heinsen.State((), 5, 3).update(k, v)
    wanted = state.attend(q)
    file = io.BytesIO()
    state.save(file)
    file.seek(0)
    others = [state.copy(), copy.deepcopy(state), heinsen.State.load(file)]
    others.append(pickle.loads(pickle.dumps(state)))
    state.update(k + 1, v)
    for other in others:
        assert np.array_equal(other.attend(q), wanted)
    file = io.BytesIO()
    np.savez(file, m=k)
    file.seek(0)
    with pytest.raises(ValueError, match="lacks"):
        heinsen.State.load(file)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_states_begin_with_a_cache_line(dtype: Any) -> None:
    """However the allocator places them: no vector of theirs lies across two lines."""
    states = [heinsen.State((3,), 5, 20, dtype=dtype) for _ in range(20)]
    states += [state.copy() for state in states]
    states += [pickle.loads(pickle.dumps(state)) for state in states]
    for state in states:
        assert [head.ctypes.data % 64 for head in state._data] == [0, 0, 0]


def test_logarithms() -> None:
    """H_S and H_Z are those of eq. 5; log y is refused where a mixture is negative."""
    q, k, v = tokens(12, 5, 3, np.float64)
    state = heinsen.State((), 5, 3, dtype=np.float64).update(k, np.abs(v))
    H_S, H_Z = state.to_log()
    assert np.allclose(H_Z, np.log(np.exp(k).sum(0)))
    assert np.allclose(H_S, np.log(np.exp(k).T @ np.abs(v)))
    assert np.allclose(np.exp(state.attend(q, log_output=True)), state.attend(q))
    state.update(k, -9 * np.abs(v))
    for call in (state.to_log, lambda: state.attend(q, log_output=True)):
        with pytest.raises(ValueError, match="negative"):
            call()


@pytest.mark.parametrize(
    ("method", "arguments", "error", "match"),
    [
        ("update", ((4, 5), (4, 2)), ValueError, "v has shape"),
        ("update", ((4, 6), (4, 3)), ValueError, "k has shape"),
        ("update", ((4, 5), (3, 3)), ValueError, "numbers of tokens"),
        ("step", ((5,), (5,), (1, 3)), ValueError, "numbers of tokens"),
        ("attend", ((2, 4, 5),), ValueError, "q has shape"),
    ],
)
def test_bad_shapes(method: str, arguments: Any, error: Any, match: str) -> None:
    """The argument is named, and the state stays."""
    q, k, v = tokens(10, 5, 3)
    state = heinsen.State((), 5, 3).update(k, v)
    wanted = state.attend(q)
    with pytest.raises(error, match=match):
        getattr(state, method)(*(np.zeros(shape, np.float32) for shape in arguments))
    assert np.array_equal(state.attend(q), wanted)


def test_bad_arguments() -> None:
    """Dtypes, kinds and states that don't fit."""
    q, k, v = tokens(10, 5, 3)
    state = heinsen.State((), 5, 3)
    with pytest.raises(TypeError, match="k is float64, the state float32"):
        state.update(k.astype(np.float64), v)
    with pytest.raises(TypeError, match="q must be a NumPy array"):
        state.step([1.0], k, v)
    with pytest.raises(TypeError, match="int64"):
        state.update(k.astype(np.int64), v)
    with pytest.raises(ValueError, match="states differ"):
        state.merge(heinsen.State((), 5, 4))
    with pytest.raises(ValueError, match="initial"):
        heinsen.State((), 5, 3, initial="none")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="float16"):
        heinsen.State((), 5, 3, dtype=np.float16)
    with pytest.raises(ValueError, match="numbers of tokens"):
        heinsen.attention(q[:3], k, v)
    with pytest.raises(ValueError, match="dimensions"):
        heinsen.attention(q[None], k, v)
    others: list[tuple[Any, type[Exception], str]] = [
        (heinsen.State((), 6, 3), ValueError, "q has shape"),
        (heinsen.State((), 5, 4), ValueError, "v has shape"),
        (heinsen.State((2,), 5, 3), ValueError, "needs 3 dimensions"),
        (heinsen.State((), 5, 3, dtype=np.float64), TypeError, "the state float64"),
        (state.to_log(), TypeError, "must be a heinsen.State"),
    ]
    for other, error, match in others:
        for causal in (True, False):
            with pytest.raises(error, match=match):
                heinsen.attention(q, k, v, state=other, causal=causal)
    assert np.all(np.isnan(state.attend(q)))
    assert np.all(np.isnan(others[0][0].attend(np.zeros(6, np.float32))))


@pytest.mark.parametrize("values", ["v", "log_v", None])
def test_states_without_heads(values: str | None) -> None:
    """They do all that others do, and answer nothing."""
    state = heinsen.State((0, 2), 3, 4)
    if values:
        given: Any = {values: np.zeros((0, 2, 4), np.float32)}
        state.update(np.zeros((0, 2, 3), np.float32), **given)
    file = io.BytesIO()
    state.save(file)
    file.seek(0)
    for same in (heinsen.State.load(file), pickle.loads(pickle.dumps(state)), state.copy()):
        same.merge(state)
        assert same.batch_shape == (0, 2)
        assert same.kind == values
        assert [part.shape for part in same.to_log()] == [(0, 2, 3, 4), (0, 2, 3)]
        assert same.attend(np.zeros((0, 2, 3), np.float32)).shape == (0, 2, 4)


def test_more_sizes_than_an_array_has_dimensions() -> None:
    """Its tokens couldn't be given, nor could it be loaded."""
    with pytest.raises(ValueError, match="batch_shape has 63 sizes"):
        heinsen.State((1,) * 63, 2, 2)
