"""Arrays of torch and JAX: the same numbers, the same kind back, nothing copied."""

from typing import Any

import fastsoftmax as fs
import numpy as np
import pytest

DTYPES = ("float32", "float64", "float16", "bfloat16")
#: One rounding to a half, and the float32 error before it.
ROUNDING = {"float16": 2**-10.9, "bfloat16": 2**-7.9}
X = np.random.default_rng(0).standard_normal((3, 5, 70)).astype(np.float32)


@pytest.fixture(scope="module")
def torch() -> Any:
    """Return the library, if it is there."""
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def jax() -> Any:
    """Return the library, if it is there."""
    return pytest.importorskip("jax")


@pytest.mark.parametrize("dtype", DTYPES)
def test_torch(torch: Any, dtype: str) -> None:
    """Every operation, on contiguous and on transposed tensors."""
    tensor = torch.from_numpy(X).to(getattr(torch, dtype))
    for x in (tensor, tensor.transpose(0, 2)):
        for axis in (-1, 0):
            p = fs.online(x, axis=axis)
            assert isinstance(p, torch.Tensor)
            assert p.dtype == x.dtype
            wanted = fs.reference.online(x.double().numpy(), axis=axis)
            assert np.allclose(p.double(), wanted, rtol=ROUNDING.get(dtype, 1e-6), atol=1e-7)
            log_p, total = fs.log_softmax(x, axis=axis), fs.logsumexp(x, axis=axis)
            assert log_p.dtype == total.dtype == x.dtype
            assert torch.allclose(log_p.double(), torch.log_softmax(x.double(), axis), atol=0.05)
            m, s = fs.normalizer(x, axis=axis)
            assert torch.equal(m.double(), x.double().amax(axis))
            assert (s >= 1).all()


def test_torch_out_mask_and_sink(torch: Any) -> None:
    """Tensors serve as `out`, mask and sink, too; `out` is written in place and comes back."""
    x = torch.from_numpy(X.copy())
    keep = torch.rand(70) < 0.5
    keep[0] = True
    sink = torch.randn(5)
    wanted = fs.online(X, mask=keep.numpy(), sink=sink.numpy())
    out = torch.empty_like(x)
    assert fs.online(x, mask=keep, sink=sink, out=out) is out
    assert np.array_equal(out.numpy(), wanted)
    assert fs.online(x, mask=keep, sink=sink, out=x) is x
    assert np.array_equal(x.numpy(), wanted)
    half = torch.zeros(2, 3, dtype=torch.bfloat16)
    added = torch.tensor([0.0, 1.0, -float("inf")], dtype=torch.bfloat16)
    assert fs.online(half, mask=added, out=half) is half
    assert torch.allclose(half.float(), torch.softmax(added.float(), 0).expand(2, 3), atol=2e-3)


def test_torch_refusals(torch: Any) -> None:
    """What would need autograd, another device, or a copy."""
    x = torch.zeros(2, 3)
    with pytest.raises(TypeError, match=r"requires grad.*detach\(\).*HCCSSoftmax.*'torch' extra"):
        fs.online(x.clone().requires_grad_())
    with pytest.raises(TypeError, match=r"on meta.*\.cpu\(\)"):
        fs.online(x.to("meta"))
    with pytest.raises(TypeError, match=r"sparse.*to_dense"):
        fs.online(x.to_sparse())
    with pytest.raises(TypeError, match=r"int64.*astype"):
        fs.online(torch.zeros(3, dtype=torch.int64))
    with pytest.raises(TypeError, match="out has dtype"):
        fs.online(x, out=torch.empty(2, 3, dtype=torch.bfloat16))
    with pytest.raises(ValueError, match="0-d"):
        fs.online(torch.tensor(1.0))


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d != "float64"])
def test_jax(jax: Any, dtype: str) -> None:
    """Every operation gives a JAX array of the dtype."""
    x = jax.numpy.asarray(X, dtype=dtype)
    for axis in (-1, 0):
        p = fs.online(x, axis=axis)
        assert isinstance(p, jax.Array)
        assert p.dtype == x.dtype
        wanted = jax.nn.softmax(x.astype("float32"), axis)
        assert np.allclose(p, wanted, rtol=ROUNDING.get(dtype, 2e-6), atol=1e-7)
        assert fs.logsumexp(x, axis=axis).dtype == x.dtype
        assert fs.normalizer(x, axis=axis)[1].dtype == np.float32


def test_jax_refusals(jax: Any) -> None:
    """Traced arrays, and `out`, which JAX can't have."""
    x = jax.numpy.zeros((2, 3))
    with pytest.raises(TypeError, match=r"out is a JAX array.*leave out"):
        fs.online(x, out=x)
    with pytest.raises(TypeError, match=r"traced by JAX.*pure_callback"):
        jax.jit(fs.online)(x)


class Foreign:
    """An array with DLPack and a namespace that makes such arrays."""

    def __init__(self, data: np.ndarray) -> None:
        self.data = data

    def __dlpack__(self, **options: Any) -> Any:
        """Hand the data out."""
        return self.data.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        """On the CPU."""
        return self.data.__dlpack_device__()

    def __array_namespace__(self) -> type["Foreign"]:
        """Where from_dlpack lives."""
        return Foreign

    @staticmethod
    def from_dlpack(other: Any) -> "Foreign":
        """Take data in."""
        return Foreign(np.from_dlpack(other))


def test_any_dlpack() -> None:
    """A library that nobody has heard of."""
    p = fs.online(Foreign(X.copy()))
    assert isinstance(p, Foreign)
    assert np.array_equal(p.data, fs.online(X))
    assert np.array_equal(fs.logsumexp(Foreign(X.copy())).data, fs.logsumexp(X))
