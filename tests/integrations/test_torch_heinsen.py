"""Heinsen attention as a module of PyTorch: forward the core, backward the closed gradient."""

from collections.abc import Iterator
from typing import Any

import fresh
import numpy as np
import pytest
from fastsoftmax import heinsen

SIZES = {"q": 8, "k": 8, "v": 5}


@pytest.fixture(scope="module")
def torch() -> Any:
    """Return the library, if it is there."""
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def layer(torch: Any) -> Any:
    """Return the class, once PyTorch is known to be there."""
    from fastsoftmax.heinsen.torch import Attention

    return Attention


@pytest.fixture(params=[3, 64])
def chunk(torch: Any, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Chunks that divide the tokens, and that hold them all."""
    from fastsoftmax.heinsen import _torch_gradient, _torch_log_gradient

    for module in (_torch_gradient, _torch_log_gradient):
        monkeypatch.setattr(module, "CHUNK", request.param)
    return int(request.param)


def tokens(torch: Any, n: int, dtype: str = "float64", batch: tuple[int, ...] = (2,)) -> list[Any]:
    """q, k, v of normal numbers."""
    rng = np.random.default_rng([n, *batch])
    dtype = getattr(torch, dtype)
    return [torch.from_numpy(rng.normal(size=(*batch, n, d))).to(dtype) for d in SIZES.values()]


def quadratic(torch: Any, causal: bool, q: Any, k: Any, v: Any) -> Any:
    """Eq. 1 in float64, in operations that autograd knows."""
    e = q.double()[..., :, None, :] + k.double()[..., None, :, :]
    if causal:
        e = e.masked_fill(~torch.ones(e.shape[-3:-1]).tril().bool()[..., None], -torch.inf)
    w = (e - e.detach().amax((-2, -1), keepdim=True)).exp().sum(-1)
    return w @ v.double() / w.sum(-1, keepdim=True)


def log_quadratic(torch: Any, causal: bool, q: Any, k: Any, log_v: Any) -> Any:
    """Eq. 2 and 3 in float64: log S - log Z."""
    e = q.double()[..., :, None, :] + k.double()[..., None, :, :]
    if causal:
        e = e.masked_fill(~torch.ones(e.shape[-3:-1]).tril().bool()[..., None], -torch.inf)
    log_w = e.logsumexp(-1)[..., None]
    return (log_w + log_v.double()[..., None, :, :]).logsumexp(-2) - log_w.logsumexp(-2)


def reference(torch: Any, causal: bool, log_values: bool) -> Any:
    """Return what `Attention(causal, log_values=log_values)` should be, of q, k, v."""
    form = log_quadratic if log_values else quadratic
    return lambda *tensors: form(torch, causal, *tensors)


def gradients(function: Any, tensors: list[Any], g: Any) -> list[Any]:
    """Answers of a function, and gradients of its arguments."""
    leaves = [tensor.clone().requires_grad_() for tensor in tensors]
    y = function(*leaves)
    y.backward(g.to(y.dtype))
    return [y.detach(), *(leaf.grad for leaf in leaves)]


def assert_same(torch: Any, ours: list[Any], theirs: list[Any], bound: float) -> None:
    """Hold each to a bound relative to its largest element."""
    for mine, wanted in zip(ours, theirs, strict=True):
        size = float(wanted.abs().max())
        torch.testing.assert_close(mine.double(), wanted.double(), rtol=0, atol=bound * size)


@pytest.mark.parametrize("log_values", [False, True])
@pytest.mark.parametrize("causal", [True, False])
def test_first_and_second_derivatives(
    torch: Any, layer: Any, chunk: int, causal: bool, log_values: bool
) -> None:
    """By finite differences, with chunks and with none."""
    q, k, v = (tensor[0, :, :2].requires_grad_() for tensor in tokens(torch, 5))
    module = layer(causal, log_values=log_values)
    assert torch.autograd.gradcheck(module, (q, k, v))
    assert torch.autograd.gradgradcheck(module, (q, k, v))


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("log_values", [False, True])
@pytest.mark.parametrize(
    ("dtype", "far", "bound"),
    [
        ("float32", 0.0, 3e-6),
        ("float32", 1e4, 3e-6),
        ("float64", 0.0, 1e-11),
        ("float64", 1e4, 1e-10),  # 1e4 is known to 2e-12
    ],
)
def test_gradient_of_the_quadratic_form(
    torch: Any, layer: Any, causal: bool, log_values: bool, dtype: str, far: float, bound: float
) -> None:
    """More tokens than a chunk; q and k of +-1e4 that cancel; features skipped by some tokens.

    Logarithms of values lie anywhere in +-1000, further from column to column than exp reaches.
    """
    q, k, v = tokens(torch, 150, dtype)
    if log_values:
        v = v + torch.linspace(-995, 995, SIZES["v"]).to(v.dtype)
        v[0, 5:9, 0] = -torch.inf
    away = far * torch.linspace(-1, 1, SIZES["k"]).to(q.dtype)
    q, k = q - away + far, k + away
    k[0, 20:90, 3] = k[1, :, 0] = -torch.inf
    g = tokens(torch, 150, batch=(2, 1))[2][:, 0]
    ours = gradients(layer(causal, log_values=log_values), [q, k, v], g)
    theirs = gradients(reference(torch, causal, log_values), [q, k, v], g)
    theirs = [tensor.nan_to_num() for tensor in theirs]
    assert_same(torch, ours, theirs, bound)


@pytest.mark.parametrize("log_values", [False, True])
@pytest.mark.parametrize("step", [5.0, 100.0])
def test_rising_keys(torch: Any, layer: Any, log_values: bool, step: float) -> None:
    """Maxima that rise with every token, by more within a chunk than exponentials hold."""
    q, k, v = tokens(torch, 100, "float32", ())
    k = k + step * torch.arange(100.0)[:, None]
    g = tokens(torch, 100, batch=(1,))[2][0]
    ours = gradients(layer(log_values=log_values), [q, k, v], g)
    theirs = gradients(reference(torch, True, log_values), [q, k, v], g)
    for mine, wanted in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine.double(), wanted.double(), rtol=0, atol=2e-6)


@pytest.mark.parametrize("log_values", [False, True])
@pytest.mark.parametrize("causal", [True, False])
def test_context(torch: Any, layer: Any, causal: bool, log_values: bool) -> None:
    """Calls in a row answer as one does; gradients are those of the last, the rest constant."""
    q, k, v = tokens(torch, 90)
    g = torch.ones_like(v[:, 70:])
    module, wanted = layer(causal, log_values=log_values), reference(torch, causal, log_values)
    module(q[:, :30], k[:, :30], v[:, :30])
    module(*(t[:, 30:70] for t in (q, k, v)), using_prev_context=True)
    last = [t[:, 70:] for t in (q, k, v)]
    ours = gradients(lambda *a: module(*a, True), last, g)

    def whole(*a: Any) -> Any:
        given = [torch.cat([t[:, :70], part], 1) for t, part in zip((q, k, v), a, strict=True)]
        return wanted(*given)[:, 70:]

    assert_same(torch, ours, gradients(whole, last, g), 1e-12)
    seen = heinsen.State((2,), SIZES["k"], SIZES["v"], dtype=np.float64)
    seen.update(k.numpy(), **{"log_v" if log_values else "v": v.numpy()})
    np.testing.assert_allclose(
        module.state.attend(q.numpy()), seen.attend(q.numpy()), rtol=1e-12, atol=1e-12
    )
    assert_same(torch, [module(*last)], [wanted(*last)], 1e-12)


def test_other_lengths_and_batches(torch: Any, layer: Any) -> None:
    """n_q may differ from n where all is seen; batches broadcast; no token is no error."""
    q, k, v = tokens(torch, 40, batch=(3, 2))
    short, shared = q[..., :7, :], v[0, 0]
    ours = gradients(layer(False), [short, k, shared], torch.ones(3, 2, 7, SIZES["v"]))
    g = torch.ones_like(ours[0])
    theirs = gradients(lambda *a: quadratic(torch, False, *a), [short, k, shared], g)
    assert_same(torch, ours[:1] + ours[3:], theirs[:1] + theirs[3:], 1e-12)
    assert ours[3].shape == shared.shape
    empty = [tensor[..., :0, :].clone().requires_grad_() for tensor in (q, k, v)]
    layer()(*empty).sum().backward()
    assert empty[0].grad.shape == (3, 2, 0, SIZES["q"])


@pytest.mark.parametrize("causal", [True, False])
def test_values_of_zero(torch: Any, layer: Any, causal: bool) -> None:
    """A mixture of none but zeros has the logarithm -inf and no gradient; others have theirs."""
    q, k, v = tokens(torch, 30)
    v[:, :, 1], v[:, :7, 0] = -torch.inf, -torch.inf
    g = torch.ones_like(v)
    y, *ours = gradients(layer(causal, log_values=True), [q, k, v], g)
    assert (y[..., 1] == -torch.inf).all()
    assert bool((y[:, :7, 0] == -torch.inf).all()) == causal
    seen = y[..., [0, 2, 3, 4]].isfinite().all(-1)
    where = torch.tensor([0, 2, 3, 4])
    zeroed = torch.where(y.isfinite(), g, 0)[..., where]
    kept = torch.where(v[..., where].isfinite(), v[..., where], -600)
    _, *theirs = gradients(reference(torch, causal, True), [q, k, kept], zeroed)
    ours[2] = ours[2][..., where]
    assert seen.any()
    assert_same(torch, ours, theirs, 1e-12)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_halves(torch: Any, layer: Any, dtype: str) -> None:
    """Computed in float32, rounded once."""
    halves = tokens(torch, 20, dtype)
    g = torch.ones(2, 20, SIZES["v"])
    ours = gradients(layer(), halves, g)
    wanted = gradients(layer(), [t.float() for t in halves], g)
    for mine, single in zip(ours, wanted, strict=True):
        assert torch.equal(mine, single.to(mine.dtype))
        assert mine.dtype == halves[0].dtype


def sizes_of(results: Any) -> Iterator[int]:
    """Elements of the tensors among results."""
    for result in results if isinstance(results, (tuple, list)) else [results]:
        if hasattr(result, "numel"):
            yield result.numel()


@pytest.mark.parametrize("log_values", [False, True])
@pytest.mark.parametrize("causal", [True, False])
def test_memory(torch: Any, layer: Any, causal: bool, log_values: bool) -> None:
    """Nothing that backward makes is larger than one of the arguments."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Largest(TorchDispatchMode):  # type: ignore[misc]
        found = 0

        def __torch_dispatch__(
            self, function: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            result = function(*args, **(kwargs or {}))
            self.found = max(self.found, *sizes_of(result), 0)
            return result

    q, k, v = (tensor.requires_grad_() for tensor in tokens(torch, 3000, "float32", ()))
    total = layer(causal, log_values=log_values)(q, k, v).sum()
    with Largest() as largest:
        total.backward()
    assert 0 < largest.found <= q.numel()


def test_refusals(torch: Any, layer: Any) -> None:
    """What was got and what was wanted; the state of the module stays."""
    q, k, v = tokens(torch, 6)
    module = layer()
    with pytest.raises(ValueError, match="no call before"):
        module(q, k, v, using_prev_context=True)
    module(q, k, v)
    kept = module.state
    with pytest.raises(TypeError, match="k must be a floating tensor, not ndarray"):
        module(q, k.numpy(), v)
    with pytest.raises(TypeError, match=r"v must be a floating tensor, not torch\.int64"):
        module(q, k, v.long())
    with pytest.raises(TypeError, match=r"q is torch\.float64, v is torch\.float32"):
        module(q, k, v.float())
    with pytest.raises(ValueError, match="v has shape"):
        module(q, k, v[0, 0])
    with pytest.raises(ValueError, match="don't broadcast"):
        module(q, k[:, None].expand(2, 3, 6, 8), v)
    with pytest.raises(ValueError, match="numbers of tokens"):
        module(q[:, :3], k, v)
    with pytest.raises(ValueError, match="q has shape"):
        module(q[..., :3], k, v)
    with pytest.raises(ValueError, match="dimensions"):
        module(q[None], k[None], v[None], True)
    assert module.state is kept
    assert repr(module) == "Attention(is_causal=True, log_values=False)"


def test_without_torch() -> None:
    """The package doesn't import it, and where it is missing the extra is named."""
    code = "import sys; sys.modules['torch'] = None; import fastsoftmax.heinsen.torch"
    last = fresh.python("-c", code).stderr.splitlines()[-1]
    assert last.startswith("ImportError")
    assert "pip install 'fastsoftmax[torch]'" in last
