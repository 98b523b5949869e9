"""Arrays whose elements lie at odd addresses give the bits of aligned copies.

Vectors are loaded from any address, but a C++ reference to a misaligned element is undefined:
what hands an address on as that of an element has to look first.
"""

from collections.abc import Callable
from typing import Any

import fastsoftmax as fs
import numpy as np
import pytest
from fastsoftmax import _core, heinsen
from references import Floats, misaligned, packed

CORE: Any = _core
RNG = np.random.default_rng(0)


@pytest.fixture(params=[misaligned, packed], ids=["misaligned", "packed"])
def moved(request: pytest.FixtureRequest) -> Callable[[Floats], Floats]:
    """Each way to lay elements out where they don't belong."""
    chosen: Callable[[Floats], Floats] = request.param
    return chosen


def assert_same(got: Any, wanted: Any) -> None:
    """Compare the bits of arrays, or of tuples of them."""
    if isinstance(wanted, tuple):
        for one, other in zip(got, wanted, strict=True):
            assert_same(one, other)
    else:
        assert got.dtype == wanted.dtype
        assert np.array_equal(got, wanted, equal_nan=True)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(5, 37), (3, 6), (70, 3), (1, 9000), (2, 70000)])
def test_rows(moved: Callable[[Floats], Floats], dtype: Any, shape: tuple[int, int]) -> None:
    """Logits, additive masks, sinks and results, along both axes, by one thread and by two."""
    x = RNG.standard_normal(shape).astype(dtype)
    wide = np.float64 if dtype == np.float64 else np.float32
    for axis in (0, 1):
        add = RNG.standard_normal(shape).astype(wide)
        sink = RNG.standard_normal(shape[1 - axis]).astype(wide)
        for options in ({}, {"mask": add}, {"sink": sink}, {"mask": add, "sink": sink}):
            plain: dict[str, Any] = {"axis": axis, "scale": 0.5, **options}
            other = plain | {name: moved(array) for name, array in options.items()}
            for f in (fs.softmax, fs.log_softmax, fs.normalizer, fs.logsumexp):
                for threads in (1, 2):
                    wanted = f(x, **plain, threads=threads)
                    assert_same(f(moved(x), **other, threads=threads), wanted)
            out = moved(np.zeros_like(x))
            assert_same(fs.softmax(x, **plain, out=out), fs.softmax(x, **plain))
            assert_same(fs.log_softmax(x, **plain, out=out), fs.log_softmax(x, **plain))
        masked: dict[str, Any] = {"axis": axis, "mask": add, "scale": 0.5}
        for k in {1, min(70, shape[axis])}:
            wanted = fs.topk(x, k, **masked)
            assert_same(fs.topk(moved(x), k, **(masked | {"mask": moved(add)})), wanted)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scan_and_max_sum(moved: Callable[[Floats], Floats], dtype: Any) -> None:
    """What takes one element after another, and what keeps a state."""
    x = RNG.standard_normal((4, 50)).astype(dtype)
    for variant in fs.variants("scan") if dtype == np.float32 else ("exact",):
        for axis in (0, 1):
            assert_same(fs.scan(moved(x), variant, axis=axis), fs.scan(x, variant, axis=axis))
    state, other = fs.MaxSum(4, dtype).update(x), fs.MaxSum(4, dtype).update(moved(x))
    assert_same((other.m, other.s), (state.m, state.s))
    out = moved(np.zeros_like(x))
    assert_same(other.probabilities(moved(x), out=out), state.probabilities(x))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("kind", ["v", "log_v"])
@pytest.mark.parametrize("batch", [(), (2, 3)])
def test_heinsen(
    moved: Callable[[Floats], Floats], dtype: Any, kind: str, batch: tuple[int, ...]
) -> None:
    """Tokens one by one, in chunks, and as whole sequences."""
    q, k, v = (RNG.standard_normal((*batch, 21, d)).astype(dtype) for d in (17, 17, 5))
    values: dict[str, Any] = {kind: v}
    there: dict[str, Any] = {kind: moved(v)}
    wide = np.float64 if dtype == np.float64 else np.float32
    state, other = (heinsen.State(batch, 17, 5, dtype=wide) for _ in "ab")
    for _ in range(3):  # the first one decides what the state mixes
        for t in (4, slice(5, 9)):
            some = [a[..., t, :].copy() for a in (q, k, v)]
            wanted = state.step(*some[:2], **{kind: some[2]})
            odd = [moved(a) for a in some]
            assert_same(other.step(*odd[:2], **{kind: odd[2]}), wanted)
    state.update(k, **values)
    other.update(moved(k), **there)
    assert_same(other.attend(moved(q)), state.attend(q))
    for causal in (True, False):
        wanted = heinsen.attention(q, k, **values, causal=causal)
        got = heinsen.attention(moved(q), moved(k), **there, causal=causal)
        assert_same(got, wanted)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_core_refuses_what_heinsen_must_not_load(dtype: Any) -> None:
    """Each of its arrays; Python copies tokens that are refused, and makes the others itself."""
    sizes, logs, options = (3, 2), (False, False), (None, None)
    data = heinsen.State((), *sizes, dtype=dtype)._data
    arrays = [data, *(RNG.standard_normal(d).astype(dtype) for d in (3, 3, 2)), np.zeros(2, dtype)]
    assert CORE.heinsen(*arrays[:4], *sizes, *logs, arrays[4], *options) is arrays[4]
    assert CORE.heinsen_step(*arrays[:4], (), *sizes) is not False
    for i in range(5):
        some = [misaligned(a) if i == j else a for j, a in enumerate(arrays)]
        assert CORE.heinsen(*some[:4], *sizes, *logs, some[4], *options) is False
        assert i == 4 or CORE.heinsen_step(*some[:4], (), *sizes) is False
    with pytest.raises(ValueError, match="states"):
        CORE.heinsen_start(misaligned(data), *sizes, False, False)
