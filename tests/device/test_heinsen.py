"""Top-k and Heinsen attention on arrays of the fake device, against the same on the CPU."""

from types import SimpleNamespace
from typing import Any

import fastsoftmax as fs
import numpy as np
import pytest
from cuda_arrays import Fake
from fastsoftmax import heinsen

RNG = np.random.default_rng(0)
X = RNG.standard_normal((3, 4, 90)).astype(np.float32)
Q, K = (RNG.standard_normal((2, 3, 20, 24)).astype(np.float32) for _ in "qk")
V = RNG.standard_normal((2, 3, 20, 40)).astype(np.float32)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_topk(hostcuda: Any, dtype: str) -> None:
    """Values and places, along any axis, up to the most that a device takes."""
    x = X.astype(dtype)
    for axis, k in ((-1, 5), (-1, 64), (0, 3), (1, 1), (2, 0)):
        got, wanted = fs.topk(Fake(x), k, axis=axis), fs.topk(x, k, axis=axis)
        assert got[0].dtype == x.dtype
        assert np.array_equal(got[1].data, wanted[1])
        assert np.allclose(got[0].data, wanted[0], rtol=2e-3 if dtype == "float16" else 2e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("kind", ["keep", "add", "of a row", "none"])
def test_topk_scale_and_mask(hostcuda: Any, dtype: str, kind: str) -> None:
    """What is ranked is scaled and masked; a row that the mask empties has probabilities 0."""
    x = X.astype(dtype)
    x[0, 1, 5] = np.nan  # masked below
    keep = RNG.random(X.shape) < 0.7
    keep[0, 1, 5], keep[2, 3] = False, False
    mask = {
        "keep": keep,
        "add": np.where(keep, RNG.standard_normal(X.shape), -np.inf).astype(np.float32),
        "of a row": keep[0, 1],
        "none": None,
    }[kind]
    for axis, k in ((-1, 64), (0, 3), (1, 4)):
        if kind == "of a row" and axis != -1:
            continue
        got = fs.topk(Fake(x), k, axis=axis, scale=-0.75, mask=None if mask is None else Fake(mask))
        wanted = fs.topk(x, k, axis=axis, scale=-0.75, mask=mask)
        assert np.array_equal(got[1].data, wanted[1])
        room = 2e-3 if dtype == "float16" else 2e-6
        assert np.allclose(got[0].data, wanted[0], rtol=room, equal_nan=True)
        assert kind not in ("keep", "add") or axis != -1 or not got[0].data[2, 3].any()


def test_topk_refusals(hostcuda: Any) -> None:
    """What the CPU takes and a device doesn't."""
    for words, options in (
        ("up to 64", {"k": 65}),
        ("mask", {"k": 2, "mask": Fake(X[:2] > 0)}),
        ("k is 91", {"k": 91}),
    ):
        with pytest.raises(ValueError, match=words):
            fs.topk(Fake(X), **options)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_attention(hostcuda: Any, causal: bool, dtype: str) -> None:
    """A prefill, and a second one from the state of the first; halves are computed in float32."""
    q, k, v = (a.astype(dtype) for a in (Q, K, V))
    y, state = heinsen.attention(Fake(q), Fake(k), Fake(v), causal=causal, return_state=True)
    wanted, host = heinsen.attention(q, k, v, causal=causal, return_state=True)
    room = 2e-3 if dtype == "float16" else 1e-5
    assert y.dtype == wanted.dtype
    assert np.allclose(y.data, wanted, rtol=room, atol=room)
    again = heinsen.attention(Fake(q), Fake(k), Fake(v), causal=causal, state=state)
    wanted = heinsen.attention(q, k, v, causal=causal, state=host)
    assert np.allclose(again.data, wanted, rtol=room, atol=room)


def test_state(hostcuda: Any) -> None:
    """Decoding from a state of the CPU: update, attend, step, and copies apart."""
    host = heinsen.State((2, 3), 24, 40).update(K, V)
    state = host.on(Fake(Q))
    other = state.copy()
    assert np.allclose(state.attend(Fake(Q)).data, host.attend(Q), atol=1e-5)
    for i in range(3):
        token = [a[:, :, i] for a in (Q, K, V)]
        got = state.step(*map(Fake, token))
        assert np.allclose(got.data, host.step(*token), atol=1e-5)
    before = heinsen.State((2, 3), 24, 40).update(K, V)
    assert np.allclose(other.attend(Fake(Q)).data, before.attend(Q), atol=1e-5)
    with pytest.raises(ValueError, match="q has shape"):
        state.attend(Fake(V))
    with pytest.raises(ValueError, match="numbers of tokens differ"):
        state.update(Fake(K), Fake(V[:, :, :3]))
    with pytest.raises(TypeError, match="on takes an array on a CUDA device"):
        host.on(Q)
    with pytest.raises(TypeError, match=r"see State\.on"):
        heinsen.attention(Fake(Q), Fake(K), Fake(V), state=host)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logarithms(hostcuda: Any, causal: bool, dtype: str) -> None:
    """Values far beyond floats as their logarithms; a state that goes on from the CPU's."""
    q, k, log_v = (a.astype(dtype) for a in (Q, K, 300 * V))
    log_v[..., 3] = -np.inf
    options: Any = {"causal": causal, "return_state": True, "log_output": True}
    y, state = heinsen.attention(Fake(q), Fake(k), log_v=Fake(log_v), **options)
    wanted, host = heinsen.attention(q, k, log_v=log_v, **options)
    assert state.kind == "log_v"
    room = 1e-6 if dtype == "float32" else 1e-14
    assert np.allclose(y.data, wanted, rtol=room, atol=20 * room)
    moved = host.on(Fake(q))
    for _ in range(2):
        token = [a[:, :, 0] for a in (q, k, log_v)]
        mine = moved.step(*map(Fake, token[:2]), log_v=Fake(token[2]))
        theirs = state.step(*map(Fake, token[:2]), log_v=Fake(token[2]))
        host.update(token[1], log_v=token[2])
        assert np.allclose(mine.data, theirs.data)
    last = host.attend(q, log_output=True)
    for device in (moved, state):
        got = device.attend(Fake(q), log_output=True)
        assert np.allclose(got.data, last, rtol=room, atol=20 * room)


def test_kinds(hostcuda: Any) -> None:
    """A state takes values or logarithms; "zeros" is a phantom token for either."""
    host = heinsen.State((2, 3), 24, 40, initial="zeros")
    for name in ("v", "log_v"):
        state, same = host.on(Fake(Q)), host.copy()
        assert state.kind is None
        on_device: Any = {name: Fake(V)}
        values: Any = {name: V}
        state.update(Fake(K), **on_device)
        same.update(K, **values)
        assert state.kind == name
        assert np.allclose(state.attend(Fake(Q)).data, same.attend(Q), rtol=1e-5, atol=1e-5)
        other = {"v": "log_v", "log_v": "v"}[name]
        with pytest.raises(ValueError, match=f"has taken {name}, so it can't take {other}"):
            state.update(Fake(K), **{other: on_device[name]})
    with pytest.raises(ValueError, match="log_output on a CUDA device needs log_v"):
        heinsen.attention(Fake(Q), Fake(K), Fake(V), log_output=True)
    with pytest.raises(TypeError, match="both given"):
        heinsen.attention(Fake(Q), Fake(K), Fake(V), log_v=Fake(V))


@pytest.mark.parametrize("sizes", [(2**31, 2**31), (2**31 - 1, 2**31 - 1), (1, 2**27), (2**33, 1)])
def test_sizes_that_kernels_cannot_count(hostcuda: Any, sizes: tuple[int, int]) -> None:
    """A head's elements are counted in int: what has more is refused before memory is asked for."""
    d_k, d_v = sizes
    q, k = np.zeros((2, 0, 1, d_k), np.float32)
    with pytest.raises(ValueError, match="too large for a CUDA device"):
        heinsen.attention(Fake(q), Fake(k), Fake(np.zeros((0, 1, d_v), np.float32)))


@pytest.mark.parametrize("shape", [(4, 2**61), (2**3, 2**60), (2, 2**62)])
def test_shapes_that_wrap(hostcuda: Any, shape: tuple[int, ...]) -> None:
    """An array that is broadcast may say that it has more elements than memory."""
    x = np.zeros(1, np.float32)
    seen: Any = SimpleNamespace(
        dtype=x.dtype, itemsize=4, ndim=2, shape=shape, strides=(0, 0), ctypes=x.ctypes
    )
    with pytest.raises(ValueError, match="more elements than memory can have"):
        fs.topk(Fake(seen), 3)
