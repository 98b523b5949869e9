"""Laws that hold for any logits, on every row of the table."""

import fastsoftmax as fs
import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from references import Floats, rounding, run

# The same examples in every run: a failure here is a failure anywhere.
ROW_BY_ROW = settings(
    derandomize=True,
    deadline=None,
    max_examples=20,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

#: Logits on a grid of 1/256: shifts by whole numbers are exact, and so is x - max.
GRID = 256


def logits(rows: st.SearchStrategy[int] | None = None, limit: int = 20) -> st.SearchStrategy:
    """Arrays of one row, or of a few, with values on the grid in [-limit, limit]."""
    columns = st.integers(1, 150)
    shape = columns.map(lambda n: (n,)) if rows is None else st.tuples(rows, columns)
    whole = st.integers(-limit * GRID, limit * GRID)
    return arrays(np.int64, shape, elements=whole).map(lambda a: a.astype(np.float64) / GRID)


def typed(kernel: fs.Kernel, x: Floats) -> Floats:
    """Exact values in the dtype of a row."""
    held = x.astype(kernel.dtype)
    assert np.array_equal(held, x)
    return held


@ROW_BY_ROW
@given(x=logits())
def test_sums_to_one(online_kernel: fs.Kernel, x: Floats) -> None:
    """Probabilities lie in [0, 1] and add up to 1."""
    p = run(online_kernel, typed(online_kernel, x)).astype(np.float64)
    assert (p >= 0).all()
    assert abs(p.sum() - 1) <= rounding(online_kernel)


@ROW_BY_ROW
@given(x=logits(), shift=st.integers(-5000, 5000))
def test_shift_invariance(online_kernel: fs.Kernel, x: Floats, shift: int) -> None:
    """The same distances below the maximum give the same probabilities."""
    p = run(online_kernel, typed(online_kernel, x))
    moved = run(online_kernel, typed(online_kernel, x + shift))
    tolerance = 2 * rounding(online_kernel)
    if online_kernel.variant == "exact":
        near = x - x.max() > -20
        assert np.abs(p - moved).max() <= 2 * online_kernel.bound
        p, moved, tolerance = p[near], moved[near], 2 * online_kernel.bound
    elif online_kernel.form == "exp":
        # other parts of the polynomial: each side is off by (1 + bound) / (1 - bound) at most
        tolerance += 4 * online_kernel.bound
    np.testing.assert_allclose(moved, p, rtol=tolerance)


@ROW_BY_ROW
@given(x=logits(), random=st.randoms(use_true_random=False))
def test_permutation(online_kernel: fs.Kernel, x: Floats, random: object) -> None:
    """The order of the logits changes nothing but the order of the sum."""
    order = np.arange(len(x))
    random.shuffle(order)  # type: ignore[attr-defined]
    x = typed(online_kernel, x)
    np.testing.assert_allclose(
        run(online_kernel, x[order]), run(online_kernel, x)[order], rtol=rounding(online_kernel)
    )


@ROW_BY_ROW
@given(x=logits(), offset=st.sampled_from([0, 7, 62, 64, 900]))
def test_order_is_kept(monotone_online_kernel: fs.Kernel, x: Floats, offset: int) -> None:
    """A larger logit never gets a smaller probability, where the table says so."""
    p = run(monotone_online_kernel, typed(monotone_online_kernel, np.sort(x) + offset))
    assert (np.diff(p) >= 0).all()


@ROW_BY_ROW
@given(x=logits(), share=st.floats(0, 1))
def test_states_merge(exact_online_kernel: fs.Kernel, x: Floats, share: float) -> None:
    """The state of a row is that of its parts, merged by the monoid; an empty part is neutral."""
    x = typed(exact_online_kernel, x)
    at = round(share * len(x))
    (m1, s1), (m2, s2) = (
        fs.normalizer(part, isa=exact_online_kernel.isa) for part in (x[:at], x[at:])
    )
    m, s = fs.normalizer(x, isa=exact_online_kernel.isa)
    top = np.longdouble(max(m1, m2))
    assert m == top
    merged = s1 * np.exp(m1 - top) + s2 * np.exp(m2 - top)
    assert abs(float(s / merged) - 1) <= 2 * exact_online_kernel.bound


@ROW_BY_ROW
@given(x=logits())
def test_state_normalises(normalizer_kernel: fs.Kernel, x: Floats) -> None:
    """Probabilities are the weights over s: the largest times s is h(0), the same for every row."""
    k = normalizer_kernel
    x = typed(k, x)
    m, s = run(k, x)
    assert m == x.max()
    top = fs.online(x, k.variant, isa=k.isa)[int(np.argmax(x))]
    tolerance = 2 * rounding(k) + (2 * k.bound if k.form == "exp" else 0)
    assert abs(float(top) * float(s) / k.value_at_zero - 1) <= tolerance + 1e-6


@ROW_BY_ROW
@given(x=logits(limit=2000))
def test_logsumexp(normalizer_kernel: fs.Kernel, x: Floats) -> None:
    """It is m + log s; for the exact variant it is the logarithm of the sum of exponentials."""
    k = normalizer_kernel
    x = typed(k, x)
    m, s = run(k, x)
    lse = fs.logsumexp(x, k.variant, isa=k.isa)
    half = np.finfo(k.dtype).eps / 2 * abs(float(lse))
    assert abs(float(lse) - (float(m) + np.log(float(s)))) <= half + 1e-15
    if k.variant == "exact":
        assert abs(float(lse) - float(fs.reference.logsumexp(x))) <= k.bound + half


@ROW_BY_ROW
@given(x=logits(rows=st.integers(0, 6)))
def test_batch_is_its_rows(online_kernel: fs.Kernel, x: Floats) -> None:
    """Bit for bit: a row's result doesn't depend on its neighbours or on where it lies."""
    k = online_kernel
    x = typed(k, x)
    p = run(k, x)
    assert p.shape == x.shape
    for row, wanted in zip(x, p, strict=True):
        assert np.array_equal(run(k, row), wanted)
    m, s = fs.normalizer(x, k.variant, isa=k.isa)
    for row, state in zip(x, zip(m, s, strict=True), strict=True):
        assert fs.normalizer(row, k.variant, isa=k.isa) == state


@ROW_BY_ROW
@given(x=logits(rows=st.integers(1, 5)), step=st.sampled_from([-3, -1, 2, 3]), data=st.data())
def test_strides(online_kernel: fs.Kernel, x: Floats, step: int, data: st.DataObject) -> None:
    """Bit for bit: the same values elsewhere in memory give the same result."""
    x = typed(online_kernel, x)
    wanted = run(online_kernel, x)
    held = np.zeros((x.shape[0], abs(step) * x.shape[1]), dtype=x.dtype)[:, ::step]
    held[...] = x
    out = np.empty(x.shape[::-1], dtype=x.dtype).T
    assert np.array_equal(run(online_kernel, held, out=out), wanted)
    offset = data.draw(st.integers(0, 17))
    base = np.empty(x.size + 17, dtype=x.dtype)[offset : offset + x.size].reshape(x.shape)
    base[...] = x
    assert np.array_equal(run(online_kernel, base, out=base), wanted)


@ROW_BY_ROW
@given(x=logits(limit=100), at=st.integers(0, 149))
def test_masked_elements_take_no_part(online_kernel: fs.Kernel, x: Floats, at: int) -> None:
    """An element at -inf changes nothing but the order of the sum."""
    assume(at <= len(x))
    x = typed(online_kernel, x)
    wider = np.insert(x, at, -np.inf)
    p = run(online_kernel, wider)
    assert p[at] == 0
    np.testing.assert_allclose(
        np.delete(p, at), run(online_kernel, x), rtol=rounding(online_kernel)
    )
