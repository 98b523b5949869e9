"""Arrays in every state that memory can be in, wherever they are taken; what is handed out."""

import copy
import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import fastsoftmax as fs
import numpy as np
import pytest
from fastsoftmax import hccs, heinsen, int8
from fastsoftmax.hccs import HeadStats, Params
from references import misaligned

N = 40
RANDOM = np.random.default_rng(0)
X = RANDOM.integers(-128, 128, (2, 3, 5, N)).astype(np.int8)
KEEP = RANDOM.random(X.shape) < 0.6
SCALE = np.array([[0.1, 0.02, 0.3], [0.05, 0.2, 0.4]])
B = np.array([[600, 500, 400], [450, 550, 650]])
FLOATS = X * SCALE[..., None, None]


def odd_steps(array: Any) -> Any:
    """Copy with strides that no alignment divides."""
    record = np.dtype([("pad", "u1"), ("value", array.dtype)])
    moved = np.zeros(array.shape, record)["value"]
    moved[...] = array
    return moved


def read_only(array: Any) -> Any:
    """Copy that can't be written."""
    moved = array.copy()
    moved.flags.writeable = False
    return moved


def swapped(array: Any) -> Any:
    """Copy in the byte order of another machine."""
    return array.astype(array.dtype.newbyteorder())


LAYOUTS: tuple[Callable[[Any], Any], ...] = (
    misaligned,
    odd_steps,
    read_only,
    swapped,
    np.asfortranarray,
    lambda a: a[..., ::-1].copy()[..., ::-1],
    lambda a: a.repeat(2, axis=-1)[..., ::2],
    lambda a: np.moveaxis(np.moveaxis(a, 0, -1).copy(), -1, 0),
    lambda a: np.moveaxis(misaligned(np.moveaxis(a, 0, -1)), -1, 0),
)


def calls(x: Any, floats: Any, mask: Any, scale: Any, b: Any, **options: Any) -> list[Any]:
    """Results of every operation with these arrays."""
    heads = Params(scale, b, b // 100, np.full_like(b, 60), N)
    stats = HeadStats(scale)
    stats.update(floats, mask)
    return [
        *(int8.softmax(x, scale, mask=mask, out_dtype=d, **options) for d in (np.uint8, np.int16)),
        hccs.softmax(x, heads, mask=mask, **options),
        hccs.softmax(x, heads, out_dtype=np.uint8, **options),
        hccs.softmax_float(floats, heads, mask=mask, **options),
        stats.mass,
        hccs.calibrate(stats, N).B,
    ]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_arguments(layout: Callable[[Any], Any]) -> None:
    """Each argument in turn; all arrays of the same numbers give the same results."""
    given = {"x": X, "floats": FLOATS, "mask": KEEP, "scale": SCALE, "b": B}
    want = calls(**given)
    for name, array in given.items():
        if name == "floats" and layout is swapped:
            with pytest.raises(TypeError, match="byte order"):
                calls(**given | {name: layout(array)})
            continue
        for got, expected in zip(calls(**given | {name: layout(array)}), want, strict=True):
            assert np.array_equal(got, expected), name


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
def test_layouts_of_out(layout: Callable[[Any], Any], dtype: type) -> None:
    """What can be written is; the rest is refused in a sentence about `out`."""
    one: tuple[tuple[Any, Any], ...] = (
        (int8.softmax, 0.1),
        (hccs.softmax, Params(0.1, 600, 9, 60, N)),
    )
    for function, parameter in one:
        for part in (..., np.s_[:1], np.s_[:, :, ::2], np.s_[:0], np.s_[:, :1, :1]):
            out = layout(np.zeros(X.shape, dtype))[part]
            want = function(X[part], parameter, out_dtype=dtype)
            if out.flags.writeable and out.dtype.isnative:
                assert function(X[part], parameter, out_dtype=dtype, out=out) is out
                assert np.array_equal(out, want)
            else:
                with pytest.raises(
                    (TypeError, ValueError), match=r"out is read-only|out has dtype"
                ):
                    function(X[part], parameter, out_dtype=dtype, out=out)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_layouts_of_float_arguments(layout: Callable[[Any], Any], dtype: str) -> None:
    """The same numbers, or a sentence about the byte order; the core refuses nothing by itself."""
    x = FLOATS.astype(dtype)
    reduced: tuple[Any, ...] = (fs.normalizer, fs.logsumexp, fs.scan, fs.topk)
    functions: tuple[Any, ...] = (fs.online, fs.log_softmax, *reduced)
    masks = (None, KEEP, FLOATS[:, :1], FLOATS.astype(np.float32))
    for function in functions:
        if function is fs.scan and dtype == "float16":
            continue
        for axis in (-1, 0):
            sinks = (None, np.take(FLOATS, 0, axis), np.take(FLOATS, 1, axis).astype(np.float32))
            for mask, sink in zip((*masks, None), (None, *sinks, None), strict=True):
                more: dict[str, Any] = {"axis": axis}
                if function is not fs.scan and mask is not None:
                    more["mask"] = layout(mask)
                if function not in (fs.scan, fs.topk) and sink is not None:
                    more["sink"] = layout(sink)
                arguments = (2,) if function is fs.topk else ()
                plain = {
                    k: v if k == "axis" else np.array(v, v.dtype.newbyteorder("="))
                    for k, v in more.items()
                }
                want = function(x, *arguments, **plain)
                if layout is swapped:
                    with pytest.raises(TypeError, match="byte order"):
                        function(layout(x), *arguments, **more)
                    got = function(x, *arguments, **more)
                else:
                    got = function(layout(x), *arguments, **more)
                if function in (fs.online, fs.log_softmax) and layout not in (swapped, read_only):
                    out = layout(np.zeros_like(x))
                    assert function(layout(x), out=out, **more) is out
                    assert np.allclose(out, want, rtol=1e-2, atol=1e-2)
                for one, other in zip(np.atleast_2d(got), np.atleast_2d(want), strict=True):
                    assert np.allclose(one, other, rtol=1e-2, atol=1e-2, equal_nan=True)


def test_a_single_row_with_any_stride() -> None:
    """NumPy leaves strides of extents of 1 as they come: an odd one misplaces nothing."""
    room = np.zeros(400, np.uint8)
    for shape, strides in (((1, 2, N), (7, 2 * N + 4, 2)), ((2, 1, N), (100, 3, 2))):
        out = np.lib.stride_tricks.as_strided(room.view(np.int16), shape, strides)
        x = X[0, :2, 0].reshape(shape)
        assert int8.softmax(x, 0.1, out_dtype=np.int16, out=out) is out
        assert np.array_equal(out, int8.softmax(x, 0.1, out_dtype=np.int16))
    nothing = room[1:1].view(np.int16).reshape(0, N)
    assert int8.softmax(X[0, 0, :0], 0.1, out_dtype=np.int16, out=nothing) is nothing


def test_sizes_of_nothing() -> None:
    """No heads, no rows, no elements, no dimensions."""
    for shape in ((0, 3, 5, N), (2, 0, 5, N), (2, 3, 0, N), (2, 3, 5, 0), (0,), (1,), (1, 1)):
        x = np.zeros(shape, np.int8)
        inner = shape[:-2] if len(shape) > 2 else ()
        for heads in ((), inner):
            scale = np.full(heads, 0.1)
            assert int8.softmax(x, scale).shape == shape
            params = Params(scale, np.full(heads, 600), 9, 60, max(shape[-1], 1))
            assert hccs.softmax(x, params).shape == shape
            assert hccs.softmax_float(x.astype(np.float32), params).shape == shape
    for scalar in (np.array(0.1), np.float32(0.1), np.int64(1), 1):
        assert int8.softmax(X, scalar).shape == X.shape
    with pytest.raises(ValueError, match="no dimension"):
        int8.softmax(np.array(1, np.int8), 0.1)


def test_integers_of_numpy() -> None:
    """They serve as counts and as the axis."""
    length: Any = np.int32(N)
    head = Params(0.1, 600, 9, 60, length)
    more: Any
    for more in ({"threads": np.int64(2)}, {"threads": np.uint8(1), "axis": np.int64(-1)}):
        got = int8.softmax(X, 0.1, **more)
        assert np.array_equal(got, int8.softmax(X, 0.1))
        got = hccs.softmax(X, head, **more)
        assert np.array_equal(got, hccs.softmax(X, head))


@pytest.mark.parametrize("scale", [1j, np.array([1j]), "much", "1", True, None, [[1], []]])
def test_scales_that_are_none(scale: Any) -> None:
    """One sentence, whoever takes them."""
    for take in (lambda s: int8.softmax(X, s), HeadStats, lambda s: Params(s, 600, 9, 60, N)):
        if take is HeadStats and scale is None:
            continue
        with pytest.raises(TypeError, match="scale must be a number or an array of them"):
            take(scale)


def test_parameters_cannot_be_changed() -> None:
    """Nor in copies, however made: checks would have been for nothing."""
    params = Params(SCALE, B, B // 100, 60, N)
    copies = (
        params, copy.copy(params), copy.deepcopy(params), pickle.loads(pickle.dumps(params)),
        dataclasses.replace(params, n=N - 1),
    )  # fmt: skip
    for one in copies:
        for field in dataclasses.fields(one):
            value = getattr(one, field.name)
            with pytest.raises(AttributeError):
                setattr(one, field.name, value)
            if isinstance(value, np.ndarray):
                with pytest.raises(ValueError, match="read-only"):
                    value[...] = 0
                assert value.base is None or not value.base.flags.writeable
        assert (one.heads == np.stack([one.B, one.S, one.Dmax], -1)).all()
        assert np.array_equal(hccs.softmax(X, one), hccs.softmax(X, params))
        assert one.floor is not one.floor


def test_statistics_cannot_be_changed() -> None:
    """What is handed out are copies, and read-only, as writing to them would change nothing."""
    own = SCALE.copy()
    for stats in (HeadStats(own), HeadStats()):
        stats.update(FLOATS)
        before = hccs.calibrate(stats, N)
        own[:] = 7
        for name in ("scale", "rows", "entropy", "mass", "count", "total"):
            value = getattr(stats, name)
            with pytest.raises(ValueError, match="read-only"):
                value[...] = 0
            value.flags.writeable = True
            value[...] = 0
            with pytest.raises(AttributeError):
                setattr(stats, name, value)
        assert hccs.calibrate(stats, N) == before


def test_states_cannot_be_changed() -> None:
    """Sizes that their memory was made for, and what a MaxSum shows."""
    state = heinsen.State((2,), 16, 16).update(*np.ones((2, 2, 16), np.float32))
    for name in ("batch_shape", "d_k", "d_v", "dtype", "kind"):
        with pytest.raises(AttributeError):
            setattr(state, name, 4)
    other = copy.deepcopy(state).merge(pickle.loads(pickle.dumps(state)))
    assert other.attend(np.ones((2, 16), np.float32)).shape == (2, 16)
    total = fs.MaxSum(4).update(np.ones((4, N), np.float32))
    for one in (total, copy.deepcopy(total), pickle.loads(pickle.dumps(total)), total + total):
        for name in ("m", "s"):
            with pytest.raises(AttributeError):
                setattr(one, name, 1)
            with pytest.raises(ValueError, match="read-only"):
                getattr(one, name)[...] = 1
            assert not getattr(one, name).base.flags.writeable


def test_the_table_cannot_be_changed() -> None:
    """Rows are frozen, and lists are new ones."""
    row = fs.kernels()[0]
    with pytest.raises(AttributeError):
        row.bound = 0  # type: ignore[misc]
    for make in (fs.kernels, fs.variants, fs.isas, fs.info):
        given: Any = make()
        given.clear()
        assert make()
