"""Modules of PyTorch whose call is repeated or abandoned: what they keep, and gradients."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fastsoftmax import hccs, heinsen

torch: Any = pytest.importorskip("torch")


@pytest.fixture(params=[True, False], ids=["reentrant", "not reentrant"])
def checkpoint(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Both forms of activation checkpointing, which call a function again to go back."""
    from torch.utils.checkpoint import checkpoint

    return lambda *call: checkpoint(*call, use_reentrant=request.param)


def attention(log_values: bool = False) -> Any:
    """Return a module that has seen four tokens."""
    from fastsoftmax.heinsen.torch import Attention

    module = Attention(log_values=log_values)
    module(*tokens(4))
    return module


def tokens(n: int) -> list[Any]:
    """q, k and v of normal numbers, to take gradients for."""
    rng = np.random.default_rng(n)
    return [torch.from_numpy(rng.normal(size=(2, n, d))).requires_grad_() for d in (8, 8, 5)]


def gradients(function: Callable[..., Any], *leaves: Any) -> list[Any]:
    """Answers of a function, and gradients of its arguments."""
    y = function(*leaves)
    return [y, *torch.autograd.grad(y.square().sum(), leaves)]


def backward(y: Any) -> None:
    """Go back as training does: the reentrant form knows no other way."""
    y.square().sum().backward()


def assert_same(some: list[Any], others: list[Any]) -> None:
    """Compare the bits of tensors."""
    assert all(torch.equal(a, b) for a, b in zip(some, others, strict=True))


def test_attention(checkpoint: Callable[..., Any]) -> None:
    """A call without context is computed anew, and brings no old state back."""
    module, leaves = attention(), tokens(9)
    wanted = gradients(lambda *qkv: module(*qkv).exp(), *leaves)
    y = checkpoint(lambda *qkv: module(*qkv).exp(), *leaves)
    module(*tokens(4))
    last = module.state
    backward(y)
    assert_same([y, *(leaf.grad for leaf in leaves)], wanted)
    assert module.state is last


@pytest.mark.parametrize("log_values", [False, True])
def test_attention_with_context(checkpoint: Callable[..., Any], log_values: bool) -> None:
    """The context of a call that is computed anew is gone: refused before a gradient is wrong."""
    module, leaves = attention(log_values), tokens(9)
    y = checkpoint(module, *leaves, True)
    state = module.state
    with pytest.raises(RuntimeError, match=r"using_prev_context.* outside of torch"):
        backward(y)
    assert module.state is state
    assert all(leaf.grad is None for leaf in leaves)


def test_attention_between_checkpoints(checkpoint: Callable[..., Any]) -> None:
    """With context it may stand between parts that are computed anew."""
    module, other, leaves = attention(), attention(), tokens(9)

    def model(again: Callable[..., Any], module: Any) -> Any:
        q = again(lambda q, k: (q + k).tanh(), *leaves[:2])
        y = module(q, *leaves[1:], using_prev_context=True)
        return again(torch.exp, y)

    backward(model(checkpoint, module))
    got = [leaf.grad for leaf in leaves]
    for leaf in leaves:
        leaf.grad = None
    backward(model(lambda f, *arguments: f(*arguments), other))
    assert_same(got, [leaf.grad for leaf in leaves])


@pytest.mark.parametrize("log_values", [False, True])
def test_context_that_goes_on(log_values: bool) -> None:
    """Tokens that a state takes after it was the context change no gradient, nor the second."""
    kept = []
    for goes_on in (False, True):
        module, leaves = attention(log_values), tokens(9)
        states = [module.state]
        y = module(*leaves, using_prev_context=True)
        states.append(module.state)
        k, v = (3 * tensor.detach().numpy() for tensor in tokens(4)[1:])
        for state in states if goes_on else ():
            state.update(k, **{"log_v" if log_values else "v": v})
        once = torch.autograd.grad(y.square().sum(), leaves, create_graph=True)
        again = torch.autograd.grad(y.square().sum(), leaves, retain_graph=True)
        assert_same([*once], [*again])
        twice = torch.autograd.grad(sum(a.square().sum() for a in once), leaves)
        kept.append([y, *once, *twice])
    assert_same(*kept)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # PyTorch's own
def test_calls_that_pytorch_refuses() -> None:
    """Transforms of functions, and derivatives forward, leave the state as it was."""
    module, (q, k, v) = attention(), [tensor.detach() for tensor in tokens(5)]
    state = module.state
    transforms: tuple[Any, ...] = (
        lambda: torch.func.grad(lambda q: module(q, k, v).sum())(q),
        lambda: torch.func.vmap(lambda q: module(q, k, v))(torch.stack([q, q])),
        lambda: torch.func.jvp(lambda q: module(q, k, v), (q,), (q,)),
    )
    for transform in transforms:
        with pytest.raises(RuntimeError):
            transform()
        assert module.state is state
    forward = torch.autograd.forward_ad
    with forward.dual_level(), pytest.raises(NotImplementedError):
        module(forward.make_dual(q, q), k, v)
    assert module.state is state


def test_shapes_that_are_refused() -> None:
    """A call that raises keeps the state, with and without context."""
    module, (q, k, v) = attention(), tokens(5)
    state = module.state
    before = heinsen.State.copy(state)._settled()
    for tensors, context in (([q, k[:, :3], v], False), ([q, k, v[..., :3]], True)):
        with pytest.raises(ValueError, match="k"):
            module(*tensors, context)
        assert module.state is state
        assert np.array_equal(state._settled(), before)


def test_hccs(checkpoint: Callable[..., Any]) -> None:
    """It keeps nothing of a call."""
    from fastsoftmax.torch import HCCSSoftmax

    module = HCCSSoftmax(hccs.Params(0.1, 600, 9, 63, 16))
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(4, 16))).requires_grad_()
    wanted, held = gradients(module, x), dict(vars(module))
    backward(checkpoint(module, x))
    assert_same([x.grad], wanted[1:])
    assert vars(module) == held
