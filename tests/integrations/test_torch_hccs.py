"""HCCS as a module of PyTorch: forward the deployed integers, backward the Jacobian of s/Z."""

from typing import Any

import fastsoftmax as fs
import fresh
import numpy as np
import pytest
from fastsoftmax import hccs
from fastsoftmax.hccs._params import PROFILES, WIDE

N = 24
MODES = fs.variants("hccs")


@pytest.fixture(scope="module")
def torch() -> Any:
    """Return the library, if it is there."""
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def layer(torch: Any) -> Any:
    """Return the class, once PyTorch is known to be there."""
    from fastsoftmax.torch import HCCSSoftmax

    return HCCSSoftmax


def params_of(mode: str, heads: int = 3) -> hccs.Params:
    """Heads that differ, whose scores reach their floor within the logits below."""
    h = np.arange(heads)
    profile = WIDE if mode == WIDE else next(p for p in PROFILES if p != WIDE)
    return hccs.Params(0.05 + 0.01 * h, 1300 - h, 20 + h, 40 + h, N, profile, mode)


def logits(torch: Any, dtype: str = "float32") -> Any:
    """Batch 2, heads 3, rows 5; one position is -inf."""
    x = np.random.default_rng(7).normal(0, 1.5, (2, 3, 5, N))
    x[0, 1, 2, 3] = -np.inf
    return torch.from_numpy(x).to(getattr(torch, dtype))


def masks(torch: Any) -> list[Any]:
    """None, a boolean one that empties a row, and an additive one."""
    keep = torch.from_numpy(np.random.default_rng(8).random((2, 1, 5, N)) < 0.6)
    keep[1, 0, 4] = False
    bias = torch.linspace(0, 1, N).expand(5, N)
    return [None, keep, torch.where(keep, bias, torch.finfo(torch.float32).min)]


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize("mode", MODES)
def test_forward_is_the_deployed_integers(torch: Any, layer: Any, mode: str, dtype: str) -> None:
    """Bit for bit what `softmax_float` gives, over full scale."""
    params, x = params_of(mode), logits(torch, dtype)
    exact = x.double().numpy() if dtype == "float64" else x.float().numpy()
    for mask in masks(torch):
        for out_dtype in (None, np.uint8) if mode == WIDE else (None,):
            got = layer(params, out_dtype=out_dtype)(x, mask)
            given = None if mask is None else mask.expand(x.shape).numpy()
            integers = hccs.softmax_float(
                exact,
                params,
                mode=mode,
                mask=given,
                out_dtype=out_dtype or (np.uint8 if mode.startswith("i8") else np.int16),
            )
            full = np.iinfo(integers.dtype).max
            wanted = torch.from_numpy((integers / exact.dtype.type(full)).astype(exact.dtype))
            assert got.dtype == x.dtype
            assert torch.equal(got, wanted.to(x.dtype))


def smooth(torch: Any, x: Any, keep: Any, params: hccs.Params) -> Any:
    """Give s/Z with rounding that lets gradients through, in operations that autograd knows."""
    scale, B, S, Dmax = (
        torch.from_numpy(np.array(value))[..., None, None]
        for value in (params.scale, params.B, params.S, params.Dmax)
    )
    m = torch.where(keep, x, -torch.inf).amax(-1, keepdim=True)
    m = torch.where(torch.isfinite(m), m, 0)
    d = (m - torch.where(keep, x, m)) / scale
    d = d + (torch.round(d) - d).detach()
    s = torch.where(keep, B - S * torch.where(d < Dmax, d, Dmax), 0)
    return s / s.sum(-1, keepdim=True).clamp(min=1)


@pytest.mark.parametrize("mode", MODES)
def test_gradient_is_that_of_the_smooth_part(torch: Any, layer: Any, mode: str) -> None:
    """With -inf, masks, a row emptied, scores at the floor, and a maximum attained twice."""
    params = params_of(mode)
    for mask in masks(torch):
        x = logits(torch, "float64")
        x[0, 0, 0, 5] = x[0, 0, 0, 6] = 9.0
        g = torch.from_numpy(np.random.default_rng(9).normal(size=x.shape))
        added = mask is not None and mask.dtype is not torch.bool
        given = True if mask is None else (mask > -1e30 if added else mask)
        keep = torch.isfinite(x) & given
        ours, theirs = (x.clone().requires_grad_() for _ in range(2))
        layer(params)(ours, mask).backward(g)
        moved = theirs + torch.where(keep, mask, 0) if added else theirs
        smooth(torch, moved, keep, params).backward(g)
        torch.testing.assert_close(ours.grad, theirs.grad.nan_to_num(), rtol=1e-12, atol=1e-15)
        assert (
            ours.grad.abs().sum(-1) > 0
        ).sum() >= 20  # others have but one logit above the floor
        assert (ours.grad[~keep] == 0).all()
        torch.testing.assert_close(ours.grad.sum(-1), torch.zeros(2, 3, 5).double())


def test_gradient_is_that_of_finite_differences(torch: Any, layer: Any) -> None:
    """Steps of whole quanta, which rounding doesn't hide; away from ties and from the floor."""
    scale = 2.0**-8
    params = hccs.Params(scale, 32000, 100, 255, 6)
    x = scale * torch.tensor([0.0, 50.0, 11.0, 200.0, 170.0, 90.0], dtype=torch.float64)
    weights = torch.tensor([0.3, -1.0, 2.0, 0.7, 0.1, -0.5], dtype=torch.float64)
    x.requires_grad_()
    (layer(params)(x) * weights).sum().backward()
    for i in range(6):
        step = torch.zeros(6, dtype=torch.float64)
        step[i] = 4 * scale
        with torch.no_grad():
            up, down = (hccs.softmax_float((x + e).numpy(), params) for e in (step, -step))
        slope = ((up - down) * weights.numpy()).sum() / (8 * scale)
        assert x.grad is not None
        assert float(x.grad[i]) == pytest.approx(slope, rel=1e-3, abs=1e-6)


def test_an_additive_mask_is_trained_too(torch: Any, layer: Any) -> None:
    """A relative position bias gets the gradient of the logits, summed where it was broadcast."""
    x = logits(torch, "float64").nan_to_num(neginf=-1.0).requires_grad_()
    bias = torch.zeros(N, dtype=torch.float64, requires_grad=True)
    layer(params_of(WIDE))(x, bias).square().sum().backward()
    torch.testing.assert_close(bias.grad, x.grad.sum((0, 1, 2)))


def test_lost_and_empty_rows(torch: Any, layer: Any) -> None:
    """NaN and +inf lose their own row alone; no elements and no row left are no error."""
    x = torch.zeros(4, N)
    x[0, 3], x[1, 4] = float("nan"), float("inf")
    x[2] = -float("inf")
    x.requires_grad_()
    p = layer(params_of(WIDE, 1))(x[None])[0]
    assert p[:2].isnan().all()
    assert (p[2] == 0).all()
    assert (p[3] > 0).all()
    p[2:].sum().backward()
    assert x.grad is not None
    assert (x.grad[2] == 0).all()
    assert layer(hccs.Params(0.1, 600, 9, 63, 4))(torch.zeros(3, 0)).shape == (3, 0)


def test_refusals(torch: Any, layer: Any) -> None:
    """What was got and what was wanted."""
    paper = next(mode for mode in MODES if mode != WIDE)
    module = layer(params_of(paper))
    x = logits(torch)
    with pytest.raises(TypeError, match=r"hccs\.Params, not tuple"):
        layer((600, 9, 63))
    with pytest.raises(TypeError, match=r"floating tensor.*int64"):
        module(torch.zeros(3, N, dtype=torch.int64))
    with pytest.raises(TypeError, match=r"floating tensor.*ndarray"):
        module(x.numpy())
    with pytest.raises(ValueError, match=f"calibrated for n = {N}"):
        module(x[..., 1:])
    with pytest.raises(ValueError, match="params have shape"):
        module(x[:, :2])
    with pytest.raises(ValueError, match="mask has shape"):
        module(x, torch.ones(7, dtype=torch.bool))
    with pytest.raises(TypeError, match=r"mask must be.*int64"):
        module(x, torch.ones(N, dtype=torch.int64))
    with pytest.raises(ValueError, match="unknown mode"):
        layer(params_of(paper), mode="i9")(x)
    y = x.nan_to_num(neginf=0).requires_grad_()
    (g,) = torch.autograd.grad(module(y).square().sum(), y, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        g.sum().backward()


def test_a_checkpoint_of_exact_softmax_loads(torch: Any, layer: Any) -> None:
    """The module adds nothing to the state of a model, and shows its mode."""
    module = layer(params_of(WIDE))
    assert not module.state_dict()
    assert WIDE in repr(module)


def test_the_package_does_without_torch() -> None:
    """It isn't imported unasked, and where it is missing the extra is named."""
    assert fresh.output("-c", "import sys, fastsoftmax; print('torch' in sys.modules)") == "False\n"
    code = "import sys; sys.modules['torch'] = None; import fastsoftmax.torch"
    failed = fresh.python("-c", code)
    assert "pip install 'fastsoftmax[torch]'" in failed.stderr.splitlines()[-1]
    assert failed.stderr.splitlines()[-1].startswith("ImportError")
