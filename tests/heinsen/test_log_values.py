"""Heinsen attention of values given as logarithms, and its state."""

import io
import pickle
from typing import Any

import fastsoftmax as fs
import numpy as np
import pytest
from fastsoftmax import heinsen
from fastsoftmax.reference.heinsen import log_quadratic, quadratic
from numpy.typing import NDArray

Floats = NDArray[Any]
SHAPES = [(1, 1, 1), (7, 3, 5), (40, 17, 33), (12, 32, 16)]


def tokens(
    n: int, d_k: int, d_v: int, dtype: Any = np.float32, reach: float = 2.0, values: float = 2.0
) -> list[Floats]:
    """q, k within `reach` and log v within `values`."""
    rng = np.random.default_rng([n, d_k, d_v])
    q, k = (rng.uniform(-reach, reach, (n, d_k)).astype(dtype) for _ in range(2))
    return [q, k, rng.uniform(-values, values, (n, d_v)).astype(dtype)]


def assert_near(log_y: Any, q: Floats, k: Floats, log_v: Floats, bound: float, **how: Any) -> None:
    """Hold logarithms of answers to a relative bound on y, beside their own last rounding."""
    wanted = log_quadratic(q, k, log_v, **how)
    assert log_y.shape == wanted.shape
    rounding = np.spacing(np.abs(wanted).astype(log_y.dtype))
    assert float(np.max(np.abs(log_y - wanted) - rounding)) <= bound


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(("reach", "values"), [(2, 2), (100, 100), (1e4, 1000)])
def test_equals_the_quadratic_form(
    heinsen_log_kernel: fs.Kernel, causal: bool, reach: float, values: float
) -> None:
    """Anywhere: log v in +-1000, q and k in +-1e4; logarithms and values of answers."""
    kernel = heinsen_log_kernel
    wide = kernel.dtype == "float64" and reach > 2  # the reference rounds there, too
    bound = 1e-11 if wide else kernel.bound
    for shape in SHAPES:
        q, k, log_v = tokens(*shape, kernel.dtype, reach, values)
        how: dict[str, Any] = {"log_v": log_v, "causal": causal, "isa": kernel.isa}
        log_y = heinsen.attention(q, k, log_output=True, **how)
        assert log_y.dtype == q.dtype
        assert_near(log_y, q, k, log_v, bound, causal=causal)
        wanted = log_quadratic(q, k, log_v, causal=causal)
        inside = np.abs(wanted) < 85
        y = heinsen.attention(q, k, **how)
        assert np.all(np.abs(y[inside] / np.exp(wanted[inside]) - 1) <= 2 * bound)
        most = 89 if kernel.dtype == "float32" else 710
        assert np.all(y[wanted > most] == np.inf)
        assert np.all(y[wanted < -2 * most] == 0)


def test_agrees_with_values() -> None:
    """Where both can go, values and their logarithms give the same answers."""
    q, k, log_v = tokens(50, 20, 9)
    y = heinsen.attention(q, k, log_v=log_v)
    assert np.allclose(y, heinsen.attention(q, k, np.exp(log_v)), rtol=2e-6)
    assert np.allclose(y, quadratic(q, k, np.exp(log_v)), rtol=2e-6)


@pytest.mark.parametrize("chunk", [1, 7, 64, 100])
@pytest.mark.parametrize("initial", ["empty", "zeros"])
def test_chunks(chunk: int, initial: Any) -> None:
    """Any split of the tokens gives the same answers; "zeros" is a token of key 0 and value 1."""
    q, k, log_v = tokens(100, 6, 17, reach=30, values=500)
    state = heinsen.State((), 6, 17, initial=initial)
    for t in range(0, 100, chunk):
        state.update(k[t : t + chunk], log_v=log_v[t : t + chunk])
    assert state.kind == "log_v"
    y = state.attend(q, log_output=True)
    assert_near(y, q, k, log_v, 5e-6, phantom=initial == "zeros", causal=False)


def test_one_step_after_the_other() -> None:
    """`step` takes logarithms, too."""
    q, k, log_v = tokens(20, 6, 5)
    state = heinsen.State((), 6, 5)
    y = np.stack([state.step(q[t], k[t], log_v=log_v[t]) for t in range(20)])
    assert np.array_equal(y, heinsen.attention(q, k, log_v=log_v))


def test_merge_logs_copies_and_files() -> None:
    """States merge, travel and give H_S and H_Z as others do."""
    q, k, log_v = tokens(60, 8, 6, np.float64, 100, 500)
    left = heinsen.State((), 8, 6, dtype=np.float64).update(k[:25], log_v=log_v[:25])
    right = heinsen.State((), 8, 6, dtype=np.float64).update(k[25:], log_v=log_v[25:])
    empty = heinsen.State((), 8, 6, dtype=np.float64)
    whole = empty.copy().merge(left).merge(right).merge(empty)
    assert_near(whole.attend(q, log_output=True), q, k, log_v, 1e-11, causal=False)
    H_S, H_Z = whole.to_log()
    assert np.allclose(H_Z, np.logaddexp.reduce(k), rtol=1e-13)
    assert np.allclose(H_S, np.logaddexp.reduce(k[:, :, None] + log_v[:, None, :]), rtol=1e-13)
    file = io.BytesIO()
    whole.save(file)
    file.seek(0)
    for other in (heinsen.State.load(file), pickle.loads(pickle.dumps(whole)), whole.copy()):
        assert other.kind == "log_v"
        assert np.array_equal(other.attend(q), whole.attend(q), equal_nan=True)


def test_long_run() -> None:
    """Compensated sums: 100,000 tokens, which come one by one here, cost nothing."""
    q, k, log_v = tokens(100_000, 2, 2)
    wide = [a.astype(np.float64) for a in (q, k)]
    log_y = heinsen.attention(q, k, log_v=log_v, log_output=True)
    wanted = heinsen.attention(*wide, log_v=log_v.astype(np.float64), log_output=True)
    assert float(np.max(np.abs(log_y - wanted))) <= 1e-6


def test_values_of_zero_and_skipped_features() -> None:
    """-inf in log v is a value of 0, -inf in k skips the feature; nothing at all is NaN."""
    q, k, log_v = tokens(20, 6, 4)
    log_v[:5, 1], log_v[:, 2], k[:, 3], k[2:9, 4] = -np.inf, -np.inf, -np.inf, -np.inf
    y = heinsen.attention(q, k, log_v=log_v)
    assert np.allclose(y, quadratic(q, k, np.exp(log_v)), rtol=2e-6, atol=0)
    assert np.all(heinsen.attention(q, k, log_v=log_v, log_output=True)[:, 2] == -np.inf)
    nothing = heinsen.State((), 6, 4).update(np.full_like(k, -np.inf), log_v=log_v)
    for log_output in (False, True):
        assert np.all(np.isnan(nothing.attend(q, log_output=log_output)))
    assert np.all(nothing.to_log()[0] == -np.inf)
    log_v[10, 0] = np.nan
    y = heinsen.attention(q, k, log_v=log_v)
    assert np.all(np.isfinite(y[:10]))
    assert np.all(np.isnan(y[10:, 0]))
    assert np.all(np.isfinite(y[:, 1:]))


def test_a_state_takes_one_kind() -> None:
    """The first tokens decide; then the other kind is refused and the state stays."""
    q, k, log_v = tokens(20, 6, 4)
    kinds: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"log_v": log_v}, {"v": log_v}),
        ({"v": log_v}, {"log_v": log_v}),
    ]
    for mine, other in kinds:
        state = heinsen.State((), 6, 4)
        assert state.kind is None
        state.update(k, **mine)
        wanted = state.attend(q)
        refused = r"this state has taken .*use another State"
        with pytest.raises(ValueError, match=refused):
            state.update(k, **other)
        with pytest.raises(ValueError, match=refused):
            state.step(q, k, **other)
        with pytest.raises(ValueError, match=refused):
            heinsen.attention(q, k, state=state, **other)
        with pytest.raises(ValueError, match=refused):
            state.merge(heinsen.State((), 6, 4).update(k, **other))
        assert np.array_equal(state.attend(q), wanted)


def test_bad_arguments() -> None:
    """Both kinds at once, none, and shapes; nothing is decided by a call that fails."""
    q, k, log_v = tokens(20, 6, 4)
    state = heinsen.State((), 6, 4)
    for call in (state.update, lambda k, *v, **log: heinsen.attention(q, k, *v, **log)):
        with pytest.raises(TypeError, match="v and log_v are both given"):
            call(k, log_v, log_v=log_v)
        with pytest.raises(TypeError, match="values are missing"):
            call(k)
        with pytest.raises((TypeError, ValueError), match="log_v"):
            call(k, log_v=log_v.astype(np.int64))
    with pytest.raises(ValueError, match="log_v has shape"):
        state.update(k, log_v=log_v[:, :3])
    with pytest.raises(ValueError, match="log_v 19"):
        state.update(k, log_v=log_v[1:])
    assert state.kind is None
    assert np.all(np.isnan(state.attend(q)))


def test_a_merged_state_forgets_what_z_was_too_large_by() -> None:
    """It belongs to the sum before: beside a maximum that rose it would outweigh later tokens."""
    many = np.random.default_rng(5).normal(0, 1, (20_000, 1)).astype(np.float32)
    state, far = (heinsen.State((), 1, 1) for _ in range(2))
    state.update(many, log_v=np.zeros_like(many))
    high = np.full((1, 1), 60, np.float32)
    far.update(high, log_v=np.zeros_like(high))
    state.merge(far)
    state.update(high, log_v=np.zeros_like(high))
    # all values are 1, so the answer is, too, however tokens weigh
    np.testing.assert_allclose(state.attend(high, log_output=True), 0, atol=5e-7)
