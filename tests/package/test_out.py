"""`out`, wherever it can be given: what overlaps itself or an operand; what autograd is told."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from types import ModuleType
from typing import Any, NamedTuple

import cuda_arrays
import fastsoftmax as fs
import numpy as np
import pytest
from cuda_arrays import Fake
from fastsoftmax import hccs, heinsen, int8
from numpy.lib.stride_tricks import as_strided

N = 24
HEAD = hccs.Params(0.1, 600, 9, 60, N)


class Function(NamedTuple):
    """One that takes `out`: its name, a call of it, dtypes of logits and of results."""

    name: str
    call: Callable[..., Any]
    logits: str
    result: str


def probabilities(x: Any, **options: Any) -> Any:
    """Those of MaxSum, of a state that has seen all."""
    return fs.MaxSum(x.shape[:-1], x.dtype).update(x).probabilities(x, **options)


def by_params(x: Any, **options: Any) -> Any:
    """`online` with parameters of HCCS."""
    return fs.online(x, HEAD, **options)


def words(function: Any, *arguments: Any) -> Callable[..., Any]:
    """Call an int8 operation for results of int16."""
    return lambda x, **options: function(x, *arguments, out_dtype=np.int16, **options)


FUNCTIONS = (
    *(
        Function(name, getattr(fs, name), dtype, dtype)
        for name in ("online", "softmax", "log_softmax")
        for dtype in ("float16", "float32", "float64")
    ),
    Function("probabilities", probabilities, "float32", "float32"),
    Function("probabilities", probabilities, "float64", "float64"),
    Function("online", by_params, "float32", "float32"),
    Function("online", by_params, "int8", "int16"),
    Function("int8.softmax", lambda x, **options: int8.softmax(x, 0.1, **options), "int8", "uint8"),
    Function("int8.softmax", words(int8.softmax, 0.1), "int8", "int16"),
    Function("hccs.softmax", words(hccs.softmax, HEAD), "int8", "int16"),
)
EACH = [pytest.param(f, id=f"{f.name}-{i}-{f.logits}") for i, f in enumerate(FUNCTIONS)]


def logits(shape: tuple[int, ...], dtype: str) -> Any:
    """Numbers that any dtype holds."""
    return np.random.default_rng(0).integers(-20, 20, shape).astype(dtype)


def taking_out() -> Iterator[str]:
    """Names of all public functions and methods with such a parameter."""
    modules: list[tuple[str, ModuleType | type]] = [
        ("", fs), ("int8.", int8), ("hccs.", hccs), ("heinsen.", heinsen),
        ("", fs.MaxSum), ("", heinsen.State), ("", hccs.HeadStats), ("", hccs.Params),
    ]  # fmt: skip
    for prefix, module in modules:
        for name in getattr(module, "__all__", dir(module)):
            value = getattr(module, name)
            public = not name.startswith("_") and inspect.isroutine(value)
            if public and "out" in inspect.signature(value).parameters:
                yield prefix + name


def test_none_is_forgotten() -> None:
    """The table above has every function that takes `out`."""
    assert set(taking_out()) == {function.name for function in FUNCTIONS}


def overlapping(shape: tuple[int, int], dtype: str) -> dict[str, Any]:
    """Arrays of a shape of which some elements share memory."""
    room = np.zeros(shape[0] * shape[1] * 4, dtype)
    item, size = room.itemsize, shape[1]
    steps = {
        "one row": (0, item),
        "one column": (item, 0),
        "windows": (item, item),
        "windows by 3": (3 * item, item),
        "windows that nearly part": ((size - 1) * item, item),
        "backwards": (-2 * item, item),
        "near the end": ((2 * size - 4) * item, 2 * item),
    }
    if item > 1:
        steps["half an element"] = (size * item, item // 2)
    middle = room[room.size // 2 :]
    return {name: as_strided(middle, shape, step) for name, step in steps.items()}


@pytest.mark.parametrize("function", EACH)
def test_elements_that_share_memory_are_refused(function: Function) -> None:
    """In any order of the axes; nothing is written."""
    x = logits((5, N), function.logits)
    for name, out in overlapping((5, N), function.result).items():
        for take, target in ((x, out), (x[None], out[None]), (x[:, None], out[:, None])):
            with pytest.raises(ValueError, match="elements of out share memory"):
                function.call(take, out=target)
        assert not out.any(), name
    for name, out in overlapping((N, 5), function.result).items():
        with pytest.raises(ValueError, match="elements of out share memory"):
            function.call(x, out=out.T)
        assert not out.any(), name


@pytest.mark.parametrize("function", EACH)
def test_elements_that_lie_apart_are_written(function: Function) -> None:
    """Slices, transposes, reversals, and rows that interleave without meeting."""
    x = logits((4, N), function.logits)
    want = function.call(x)
    room = np.zeros(40 * N, function.result)
    item = room.itemsize
    layouts = {
        "reversed": room[: 4 * N].reshape(4, N)[::-1, ::-1],
        "columns": room[: 4 * N].reshape(N, 4).T,
        "gaps": room[: 16 * N].reshape(4, 2, 2 * N)[:, 1, ::2],
        "axes": room[: 8 * N].reshape(2, N, 4)[1].T,
        # element (i, j) at 3i + 4j of 0 <= i < 4: no two meet, though rows interleave
        "interleaved": as_strided(room, (4, N), (3 * item, 4 * item)),
        "interleaved backwards": as_strided(room[20:], (4, N), (-5 * item, 4 * item)),
    }
    for name, out in layouts.items():
        room[:] = 0
        assert function.call(x, out=out) is out
        assert np.array_equal(out, want), name
        assert np.count_nonzero(room) == np.count_nonzero(want), name


def test_every_small_layout() -> None:
    """Strides at random: refused where two elements meet, and only there."""
    random = np.random.default_rng(1)
    room = np.zeros(400, np.float32)
    seen = []
    for _ in range(3000):
        shape = tuple(random.integers(1, 5, 3).tolist())
        steps = random.integers(-14, 15, 3) * random.choice([1, 2, 4])  # bytes; some misaligned
        out = as_strided(room[200:], shape, steps.tolist())
        first = np.ravel(np.tensordot(steps, np.indices(shape), 1))
        held = np.unique(first[:, None] + np.arange(4))
        seen.append(len(held) < first.size * 4)
        with pytest.raises(ValueError, match="share memory") if seen[-1] else nullcontext():
            fs.online(np.ones(shape, np.float32), out=out)
    assert 500 < sum(seen) < 2500


def test_nothing_to_write_is_apart() -> None:
    """An array without elements has none that meet."""
    out = as_strided(np.zeros(1, np.float32), (0, 5), (0, 0))
    assert fs.online(np.zeros((0, 5), np.float32), out=out) is out


def test_operands_under_out() -> None:
    """Masks, sinks and scales that the result is written over are read before."""
    x = logits((4, N), "float64")
    room = np.zeros((5, N))
    mask, sink = room[:4], room[1, :4]
    for name in ("online", "log_softmax"):
        function = getattr(fs, name)
        for shift in (0, 1):
            for axis, count in ((-1, 4), (0, N)):
                sink = room[1, :count]
                room[:] = logits((5, N), "float64") / 7
                want = function(x, mask=mask.copy(), sink=sink.copy(), axis=axis)
                got = function(x, mask=mask, sink=sink, axis=axis, out=room[shift : shift + 4])
                assert np.array_equal(got, want)
    heads = logits((2, 3, 5, N), "int8")
    for dtype in (np.uint8, np.int16):
        memory = np.zeros(heads.size * 2, np.uint8)
        out = memory[: heads.size * np.dtype(dtype).itemsize].view(dtype).reshape(heads.shape)
        for at in (0, heads.size // 16 * 8):
            scale = memory[at : at + 24].view(np.float64)
            scale[:] = 0.1, 0.02, 0.3
            want = int8.softmax(heads, scale.copy(), out_dtype=dtype)
            got = int8.softmax(heads, scale, out_dtype=dtype, out=out)
            assert np.array_equal(got, want)


TORCH = [f for f in FUNCTIONS if f.result.startswith("float") and f.call is not by_params]


@pytest.mark.parametrize("function", TORCH, ids=lambda f: f"{f.name}-{f.result}")
def test_autograd_learns_of_writes(function: Function) -> None:
    """A backward pass that saved the memory of `out` is refused, as after torch's own writes."""
    torch = pytest.importorskip("torch")
    x = logits((4, N), function.logits)
    views: dict[str, Callable[[Any], Any]] = {
        "itself": lambda a: a, "view": lambda a: a[:4], "detached": lambda a: a.detach()
    }  # fmt: skip
    for name, view in views.items():
        w = torch.ones(4, N, requires_grad=True, dtype=getattr(torch, function.result))
        a = torch.from_numpy(x.copy())
        loss = (w * a).sum()
        function.call(x, out=view(a))
        assert np.array_equal(a.numpy(), function.call(x)), name
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            loss.backward()


def test_autograd_learns_of_bfloat16() -> None:
    """Its bits are seen through a view of another dtype."""
    torch = pytest.importorskip("torch")
    a = torch.zeros(4, N, dtype=torch.bfloat16)
    before = a._version
    assert fs.log_softmax(a, out=a) is a
    assert a._version > before


def test_tensors_that_cannot_be_out() -> None:
    """Nothing is written, and nothing counted, where an argument is refused."""
    torch = pytest.importorskip("torch")
    x = torch.ones(4, N)
    leaf = torch.zeros(4, N, requires_grad=True)
    for out in (leaf, leaf[:4], leaf * 1, torch.nn.Parameter(torch.zeros(4, N))):
        with pytest.raises(TypeError, match="out requires grad"):
            fs.online(x, out=out)
    with pytest.raises(ValueError, match="elements of out share memory"):
        fs.online(x, out=torch.zeros(N).expand(4, N))
    with pytest.raises(TypeError, match=r"out is a view that negates"):
        fs.online(x, out=torch._neg_view(torch.zeros(4, N)))
    out = torch.zeros(4, N)
    before = out._version
    for wrong in ({"variant": "nope"}, {"axis": 2}, {"mask": np.ones(3, bool)}, {"isa": "nope"}):
        with pytest.raises(ValueError, match=r"nope|axis|mask"):
            fs.online(x, out=out, **wrong)
    assert out._version == before
    assert not out.any()


def test_tensors_of_inference_mode() -> None:
    """They have no count; an older tensor has one there, too."""
    torch = pytest.importorskip("torch")
    usual = torch.ones(4, N)
    before = usual._version
    with torch.inference_mode():
        own = torch.ones(4, N)
        assert fs.online(own, out=own) is own
        fs.online(own, out=usual)
    assert torch.allclose(own, torch.softmax(torch.ones(4, N), -1))
    assert usual._version > before


def test_autograd_learns_of_writes_on_a_device(hostcuda: Any) -> None:
    """By every operation that takes `out` there."""
    torch = pytest.importorskip("torch")

    class OnDevice(torch.Tensor):  # type: ignore[misc,name-defined]
        """A tensor that says it lies on a CUDA device."""

        is_cuda = True

        def __dlpack_device__(self) -> tuple[int, int]:
            return cuda_arrays.CUDA, 0

        def __dlpack__(self, *, stream: int | None = None) -> Any:
            return Fake(self.as_subclass(torch.Tensor).numpy()).__dlpack__(stream=stream)

    for function in FUNCTIONS:
        if function.call in (probabilities, by_params):
            continue
        x = Fake(logits((4, N), function.logits))
        out = torch.zeros(4, N, dtype=getattr(torch, function.result)).as_subclass(OnDevice)
        before = out._version
        assert function.call(x, out=out) is out
        assert out._version > before, function.name
        shared = torch.zeros(N, dtype=out.dtype).as_subclass(OnDevice).expand(4, N)
        with pytest.raises(ValueError, match=r"share memory|overlap"):
            function.call(x, out=shared)
        if function.result.startswith("float"):
            with pytest.raises(TypeError, match="out requires grad"):
                function.call(x, out=out.detach().requires_grad_())


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # torch's own, by make_dual
@pytest.mark.parametrize("function", [fs.online, fs.log_softmax, fs.logsumexp, fs.normalizer])
def test_tangents_are_not_lost(function: Any) -> None:
    """Forward-mode differentiation can't see into us, so we say so: of logits and of `out`."""
    torch = pytest.importorskip("torch")
    forward_ad = torch.autograd.forward_ad
    x = torch.randn(3, 5)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x, torch.ones_like(x))
        with pytest.raises(TypeError, match="logits has a tangent"):
            function(dual)
        assert function(x) is not None
        if function in (fs.online, fs.log_softmax):
            with pytest.raises(TypeError, match="out has a tangent"):
                function(x, out=dual)
    for transform in (torch.func.grad, torch.func.jacfwd, torch.func.vmap):
        with pytest.raises((TypeError, RuntimeError)):
            transform(lambda rows: fs.online(rows).sum())(x)
