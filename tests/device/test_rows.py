"""Arrays on a CUDA device, by the real binding code over kernels that the host compiler built."""

import re
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import cuda_arrays
import fastsoftmax as fs
import numpy as np
import pytest
from cuda_arrays import Fake, Library
from fastsoftmax._device import libraries, registry
from nan_payloads import is_nan, spoilt

X = np.random.default_rng(0).standard_normal((3, 4, 70)).astype(np.float32) * 3
SINK = np.array([1, -1, 2, 0], np.float32)
DTYPES = ("float32", "float64", "float16", "bfloat16")


def typed(dtype: str) -> np.dtype[Any]:
    """Dtype by its name."""
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")  # registers the name
    return np.dtype(dtype)


def assert_close(result: Fake, wanted: np.ndarray) -> None:
    """Compare kind, dtype, device, and numbers with the CPU's within the claimed bounds of both."""
    assert isinstance(result, Fake)
    assert result.device == (cuda_arrays.CUDA, 0)
    assert result.dtype == wanted.dtype
    assert result.shape == wanted.shape
    unit = {8: 1e-14, 4: 2e-6, 2: 1e-2}[wanted.dtype.itemsize]
    got, expected = result.data.astype(np.float64), wanted.astype(np.float64)
    assert np.allclose(got, expected, rtol=unit, atol=unit / 4, equal_nan=True)


OPERATIONS = (fs.online, fs.log_softmax, fs.logsumexp, fs.normalizer)


def check(function: Any, x: np.ndarray, **options: Any) -> None:
    """Compare an operation on the fake device with the same on the CPU."""
    moved = {key: Fake(v) if isinstance(v, np.ndarray) else v for key, v in options.items()}
    result, wanted = function(Fake(x), **moved), function(x, **options)
    if function is not fs.normalizer:
        result, wanted = (result,), (wanted,)
    assert len(result) == len(wanted)
    for got, expected in zip(result, wanted, strict=True):
        assert_close(got, np.asarray(expected))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("function", OPERATIONS)
def test_numbers_of_the_cpu(hostcuda: Any, function: Any, dtype: str) -> None:
    """Every dtype, along either end, contiguous, transposed and backwards."""
    x = X.astype(typed(dtype))
    for axis in (-1, 0):
        for view in (x, x.transpose(2, 0, 1), x[:, ::-1, ::2], x[1, 2]):
            check(function, view, axis=axis)
    check(function, X.reshape(3, 1, 2, 2, 1, 5, 14).astype(typed(dtype)), axis=2)


@pytest.mark.parametrize("function", OPERATIONS)
def test_scale_mask_and_sink(hostcuda: Any, function: Any) -> None:
    """Masks of bool and of every float, broadcast; a sink for all and one for each row."""
    keep = np.random.default_rng(1).random((4, 1)) < 0.7
    keep[0] = True
    check(function, X, mask=keep, scale=0.3)
    check(function, X, mask=keep.repeat(70, axis=1)[None], sink=1.5)
    check(function, X, sink=SINK)
    check(function, X.astype(np.float64), sink=SINK, axis=-1)
    for dtype in DTYPES:
        added = np.random.default_rng(2).standard_normal(70).astype(typed(dtype))
        added[3] = -np.inf
        check(function, X, mask=added)
        check(function, X.astype(np.float64), mask=added)


@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_of_every_payload(hostcuda: Any, dtype: str) -> None:
    """As on the CPU: NaN stays NaN, whatever its other bits."""
    for n in (3, 33, 700, 5000):
        x = spoilt(np.random.default_rng(n).standard_normal((8, n)).astype(typed(dtype)), n)
        bad: Any = is_nan(x).any(axis=1)
        for function in OPERATIONS:
            result: Any = function(Fake(x))
            for part in result if isinstance(result, tuple) else (result,):
                shown = is_nan(part.data).reshape(8, -1)
                assert np.array_equal(shown, np.broadcast_to(bad[:, None], shown.shape)), n
        p, places = fs.topk(Fake(x), 2)
        assert np.array_equal(is_nan(p.data).all(axis=1), bad)
        assert not is_nan(np.take_along_axis(x, places.data, axis=1)).any()


@pytest.mark.parametrize(("dtype", "edge"), [("float16", -32752.0), ("bfloat16", -1.694e38)])
def test_masks_out_by_the_lowest_number_of_its_own_dtype(
    hostcuda: Any, dtype: str, edge: float
) -> None:
    """Half of it, and less, takes out, NaN too; more doesn't."""
    x = np.zeros((2, 4), np.float32)
    x[:, 1] = np.nan
    mask = np.zeros((2, 4), typed(dtype))
    mask[:, 1], mask[:, 2] = 1.05 * edge, 0.95 * edge
    for function in OPERATIONS:
        check(function, x, mask=mask)
    assert np.allclose(fs.online(Fake(x), mask=Fake(mask)).data, [[0.5, 0, 0, 0.5]] * 2)
    assert np.allclose(fs.topk(Fake(x), 3, mask=Fake(mask))[0].data, [[0.5, 0.5, 0]] * 2)


def test_every_kernel(hostcuda: Any) -> None:
    """Each row of the module's table that an operation takes runs, within the sum of bounds."""
    functions = {function.__name__: function for function in OPERATIONS}
    ran = 0
    for row in hostcuda.kernels():
        if row["op"] not in functions:
            continue
        ran += 1
        x = X.astype(row["dtype"])
        function = functions[row["op"]]
        result: Any = function(Fake(x), row["variant"], isa=row["isa"])
        exact: Any = function(x)
        if row["op"] == "normalizer":
            result, exact = result[1], exact[1]
        # a weight off by b moves a sum of 70 by 70 b at most, its logarithm too: s >= 0.8
        room = max(200 * row["bound"], 1e-5)
        assert np.allclose(result.data, exact, rtol=room, atol=room), row["id"]
    assert ran >= len(functions)


def test_scan(hostcuda: Any) -> None:
    """Every variant of the recurrence, with the axis first, last, and in an order to be copied."""
    alone = {row["variant"] for row in hostcuda.kernels()} - set(fs.variants("scan"))
    names = [row["variant"] for row in hostcuda.kernels() if row["op"] == "scan"]
    assert len(names) >= len(fs.variants("scan"))
    for variant in names:
        same = "exact" if variant in alone else variant
        for x, axis in ((X, -1), (X, 0), (X[:, ::2], 1)):
            got, wanted = fs.scan(Fake(x), variant, axis=axis), fs.scan(x, same, axis=axis)
            for result, exact in zip(got, wanted, strict=True):
                assert np.allclose(result.data, exact, rtol=3e-5, atol=3e-5), variant
    with pytest.raises(TypeError, match="scan takes float32 on CUDA, not float16"):
        fs.scan(Fake(X.astype(np.float16)))


def test_out(hostcuda: Any) -> None:
    """`out` comes back written: itself, the logits, or what overlaps them or the mask."""
    wanted = fs.online(X)
    out = Fake(np.empty_like(X))
    assert fs.online(Fake(X), out=out) is out
    assert_close(out, wanted)
    x = Fake(X.copy())
    assert fs.online(x, out=x) is x
    assert_close(x, wanted)
    room = np.zeros(2 * 70, np.float32)
    room[:70] = X[0, 0]
    assert_close(fs.online(Fake(room[:70]), out=Fake(room[35:105])), wanted[0, 0])
    mask = Fake(X.copy())
    assert_close(fs.online(Fake(X), mask=mask, out=mask), fs.online(X, mask=X))


def test_nothing_to_do(hostcuda: Any) -> None:
    """No rows, no elements; and sums of nothing."""
    for shape in ((0, 5), (3, 0)):
        x = np.empty(shape, np.float32)
        for function in OPERATIONS:
            check(function, x)


def test_streams(hostcuda: Any) -> None:
    """Arrays are asked for on the stream that the kernel goes to; the default one is 1."""
    stream = SimpleNamespace(cuda_stream=64)
    for passed, asked in ((None, 1), (0, 1), (1, 1), (2, 2), (stream, 64)):
        Library.made = ()
        x, mask, out = Fake(X), Fake(X > 0), Fake(np.empty_like(X))
        fs.online(x, mask=mask, out=out, sink=0.5, stream=passed)
        seen = (x, mask, out, *Library.made)
        assert [array.streams for array in seen] == [[asked]] * 4
    for bad in (True, -1, "0", 1.5):
        with pytest.raises(TypeError, match="stream must be a stream of torch or CuPy"):
            fs.online(Fake(X), stream=bad)
    for function in OPERATIONS:
        with pytest.raises(TypeError, match="stream is for logits on a CUDA device"):
            function(X, stream=1)


def test_refusals(hostcuda: Any) -> None:
    """Devices that differ, arguments that don't fit: said, and nothing written."""
    x = Fake(X)
    far = Fake(X, (cuda_arrays.CUDA, 1))
    cases: tuple[tuple[type[Exception], str, dict[str, Any]], ...] = (
        (TypeError, "mask is a numpy.ndarray of bool on another", {"mask": X > 0}),
        (ValueError, "mask is on CUDA device 1, logits on CUDA device 0", {"mask": far}),
        (ValueError, "out is on CUDA device 1", {"out": far}),
        (TypeError, "sink is a .*ndarray.*another device", {"sink": np.zeros(1, np.float32)}),
        (TypeError, "mask must be an array of bool", {"mask": Fake(np.zeros(70, np.int64))}),
        (TypeError, "sink must be a number", {"sink": Fake(np.zeros(1, np.int64))}),
        (ValueError, "mask has shape", {"mask": Fake(np.zeros(71, bool))}),
        (ValueError, "sink has shape", {"sink": Fake(np.zeros(70, np.float32))}),
        (TypeError, "out has dtype float64", {"out": Fake(X.astype(np.float64))}),
        (ValueError, "out has shape", {"out": Fake(X[0])}),
        (ValueError, "share memory", {"out": Fake(np.broadcast_to(X[0], X.shape))}),
        (ValueError, "unknown variant 'nope' for online on CUDA; there", {"variant": "nope"}),
        (ValueError, "isa 'nope' can't take arrays on a CUDA device", {"isa": "nope"}),
        (ValueError, "axis 3", {"axis": 3}),
        (ValueError, "finite", {"scale": float("inf")}),
        (ValueError, "threads is 0", {"threads": 0}),
    )  # fmt: skip
    for error, words, options in cases:
        with pytest.raises(error, match=words):
            fs.online(x, **options)
    with pytest.raises(TypeError, match=r"logits must be .*, not int64"):
        fs.online(Fake(np.arange(3)))
    with pytest.raises(ValueError, match="0-d"):
        fs.online(Fake(np.zeros((), np.float32)))
    single = [row["variant"] for row in hostcuda.kernels() if row["dtype"] != "float64"]
    with pytest.raises(ValueError, match=r"has no float64 kernel on CUDA; exact has"):
        fs.online(Fake(X.astype(np.float64)), next(name for name in single if name != "exact"))
    assert np.array_equal(X, x.data)


def test_too_many_dimensions(hostcuda: Any) -> None:
    """Dimensions that can't be merged, more than a kernel walks, are refused with the remedy."""
    x = np.zeros((*(4,) * 8, 2), np.float32)[(slice(None, None, 2),) * 8]
    with pytest.raises(ValueError, match="make them contiguous"):
        fs.online(Fake(x))
    check(fs.online, np.ascontiguousarray(x))


def test_errors_of_the_runtime(hostcuda: Any) -> None:
    """They name the call and the cause. Nothing can be launched on device 1 of the fake."""
    with pytest.raises(RuntimeError, match=r"launching online/exact failed: \w+, .*built for"):
        fs.online(Fake(X, (cuda_arrays.CUDA, 1)))


class Unknown:
    """On a CUDA device, without a library that can be asked for results."""

    def __dlpack_device__(self) -> tuple[int, int]:
        """Device 0."""
        return cuda_arrays.CUDA, 0


def test_libraries_that_cannot_take_results(hostcuda: Any) -> None:
    """JAX, and what has no array API."""
    with pytest.raises(TypeError, match=rf"{__name__}.Unknown on a CUDA device.*from_dlpack"):
        fs.online(Unknown())
    jax = type("Array", (Unknown,), {"__module__": "jaxlib"})
    with pytest.raises(TypeError, match=r"JAX array on a CUDA device.*device_get"):
        fs.online(jax())


def test_without_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence says what is missing: the module, or a device."""
    registry.usable.cache_clear()
    monkeypatch.setattr(registry, "built", lambda: None)
    assert registry.status() == "not built"
    with pytest.raises(RuntimeError, match=r"CUDA device 0, but .* built without CUDA.* nvcc"):
        fs.online(Fake(X))
    lost = SimpleNamespace(devices=lambda: ([], "cudaErrorNoDevice, none"), architectures="0")
    monkeypatch.setattr(registry, "built", lambda: lost)
    assert registry.status() == "built for 0; no device here: cudaErrorNoDevice, none"
    with pytest.raises(RuntimeError, match=r"no CUDA device can be used here: cudaErrorNoDevice"):
        fs.logsumexp(Fake(X))


def test_module_of_the_package() -> None:
    """It can be imported wherever it was built; without a driver it says so."""
    cuda = registry.built()
    if cuda is None:
        pytest.skip("this fastsoftmax was built without CUDA")
    found, problem = cuda.devices()
    rows = [k for k in fs.kernels() if k.isa == cuda.isa]
    assert rows
    assert all(k.available == bool(found) for k in rows)
    assert fs.info()["CUDA"].startswith(f"built for {cuda.architectures}; ")
    if found:
        pytest.skip("there is a device here: test_gpu.py runs on it")
    assert re.match(r"cudaError\w+, ", problem)
    with pytest.raises(RuntimeError, match=re.escape(problem)):
        fs.online(Fake(X))


def test_import_does_not_load_cuda() -> None:
    """Who has no array on a device doesn't pay for the module."""
    code = (
        "import sys, numpy, fastsoftmax; fastsoftmax.online(numpy.zeros(3)); "
        "assert not [name for name in sys.modules if name.startswith('fastsoftmax._') "
        "and ('cuda' in name or 'device' in name)]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_torch_makes_results() -> None:
    """What is asked of torch exists there: shown with memory of the CPU."""
    torch = pytest.importorskip("torch")
    library = libraries.library_of(torch.zeros(3), "logits")
    assert isinstance(library, libraries.Torch)
    half = library.dtype("bfloat16")
    made = library.empty((2, 3), half)
    assert (made.shape, made.dtype) == ((2, 3), torch.bfloat16)
    assert library.full(1.5, library.dtype("float64")).item() == 1.5
    assert library.cast(made, library.dtype("float32")).dtype == torch.float32
    x = torch.arange(24).reshape(2, 3, 4)
    for axis in range(3):
        copy = library.copy_rows(x, axis)
        assert torch.equal(copy, x)
        assert copy.data_ptr() != x.data_ptr()
        assert copy.stride(axis) == 1
