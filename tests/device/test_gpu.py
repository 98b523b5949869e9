"""The kernels on a real device, through torch: numbers, streams, what comes back.

tools/gpu_check.sh runs these; elsewhere they skip, and test_rows.py stands in.
"""

from typing import Any

import fastsoftmax as fs
import numpy as np
import pytest
from fastsoftmax import hccs, int8
from fastsoftmax._device import registry

FUNCTIONS = {"online": fs.online, "log_softmax": fs.log_softmax, "normalizer": fs.normalizer}
HALVES = {"float16": 2e-3, "bfloat16": 2e-2}
SHAPES = ((7, 33), (3, 1000), (5, 4096), (2, 40000), (1, 1 << 20))


@pytest.fixture(scope="module")
def torch() -> Any:
    """Return the library, if the package has a device to run on."""
    cuda = registry.built()
    if cuda is None:
        pytest.skip("this fastsoftmax was built without CUDA")
    found, problem = cuda.devices()
    if not found:
        pytest.skip(f"no device here: {problem}")
    library = pytest.importorskip("torch")
    if not library.cuda.is_available():
        pytest.skip("this torch was built without CUDA")
    return library


def rows() -> list[fs.Kernel]:
    """Rows of the table for the device."""
    return [k for k in fs.kernels() if k.device != "cpu"]


def on(torch: Any, x: np.ndarray) -> Any:
    """Move an array to the device."""
    return torch.from_numpy(np.ascontiguousarray(x)).cuda()


def check_rows(torch: Any, shape: tuple[int, int]) -> None:
    """Every kernel for floats against float64, within its bound."""
    x = 3 * np.random.default_rng(0).standard_normal(shape)
    ran = 0
    for k in rows():
        if k.op not in FUNCTIONS:
            continue
        ran += 1
        logits = x.astype(k.dtype)
        result: Any = FUNCTIONS[k.op](on(torch, logits), k.variant)
        exact: Any = FUNCTIONS[k.op](logits.astype(np.float64))
        if k.op == "normalizer":
            result, exact = result[1] / on(torch, exact[1]), np.ones(shape[0])
        assert result.is_cuda
        # a weight off by b moves a sum by n b at most
        room = 5e-7 if k.variant == "exact" else max(4 * k.bound * shape[1], 1e-5)
        got = result.cpu().numpy().astype(np.float64)
        assert np.allclose(got, exact, rtol=room, atol=room), k.id
    assert ran


def test_small_rows(torch: Any) -> None:
    """The shortest rows, for the sanitizer as well."""
    check_rows(torch, SHAPES[0])


@pytest.mark.parametrize("shape", SHAPES[1:])
def test_rows(torch: Any, shape: tuple[int, int]) -> None:
    """Every class of row length."""
    check_rows(torch, shape)


@pytest.mark.parametrize("dtype", HALVES)
def test_halves_masks_and_layouts(torch: Any, dtype: str) -> None:
    """As the same operation on the CPU."""
    x = torch.randn(3, 40, 130).to(getattr(torch, dtype))
    keep, sink = torch.rand(40, 130) < 0.8, torch.randn(40)
    for view in (x, x.transpose(0, 2), x[:, ::3]):
        wanted = fs.online(view)
        got = fs.online(view.cuda())
        assert got.dtype == x.dtype
        assert torch.allclose(got.cpu().float(), wanted.float(), rtol=HALVES[dtype], atol=1e-6)
    wanted = fs.log_softmax(x, mask=keep, sink=sink, scale=0.5)
    got = fs.log_softmax(x.cuda(), mask=keep.cuda(), sink=sink.cuda(), scale=0.5)
    assert torch.allclose(got.cpu().float(), wanted.float(), rtol=HALVES[dtype], atol=1e-6)


def test_small_int8(torch: Any) -> None:
    """Every mode and table, to the bit."""
    x = np.random.default_rng(1).integers(-128, 128, (5, 64)).astype(np.int8)
    for mode in fs.variants("hccs"):
        head = hccs.Params(scale=0.1, B=450, S=5, Dmax=50, n=64)
        got = hccs.softmax(on(torch, x), head, mode=mode)
        assert np.array_equal(got.cpu().numpy(), hccs.softmax(x, head, mode=mode))
    for table in fs.variants("int8"):
        got = int8.softmax(on(torch, x), 0.1, table=table)
        assert np.array_equal(got.cpu().numpy(), int8.softmax(x, 0.1, table=table))


def test_small_scan(torch: Any) -> None:
    """The variants that the CPU has, within what one chain of additions loses."""
    x = np.random.default_rng(2).standard_normal((50, 300)).astype(np.float32)
    for variant in fs.variants("scan"):
        got, wanted = fs.scan(on(torch, x), variant, axis=0), fs.scan(x, variant, axis=0)
        for result, exact in zip(got, wanted, strict=True):
            assert np.allclose(result.cpu().numpy(), exact, rtol=1e-4, atol=1e-4), variant


def test_streams(torch: Any) -> None:
    """The current stream by default, or one that is named: results are there when it is done."""
    x = torch.randn(4096, 4096, device=torch.device(rows()[0].device))
    wanted = fs.online(x)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        inside = fs.online(x)
    named = fs.online(x, stream=stream)
    stream.synchronize()
    assert torch.equal(inside, wanted)
    assert torch.equal(named, wanted)
    with pytest.raises(TypeError, match="another device"):
        fs.online(x, mask=torch.ones(4096, dtype=torch.bool))
