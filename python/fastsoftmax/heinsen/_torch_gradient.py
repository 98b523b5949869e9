"""The gradient of Heinsen attention, in chunks of tokens and the memory of two states.

With ``w_ts = sum_i exp(q_ti + k_si)``, ``Z_t = sum_s w_ts``, answers ``y_t = sum_s w_ts v_s / Z_t``
and their gradients g_t, let ``d_ts = g_t . (v_s - y_t)``. Then

    dL/dq_ti = sum_s exp(q_ti + k_si - log Z_t) d_ts
    dL/dk_si = sum_t exp(q_ti + k_si - log Z_t) d_ts
    dL/dv_s  = sum_t g_t w_ts / Z_t

over the pairs where query t sees token s. As d is an inner product of ``[g, -g.y]`` and ``[v, 1]``,
the sums over the tokens of other chunks are states: for queries that of the forward pass, of keys
k and values [v, 1]; for tokens one built from the end, of "keys" q - log Z and "values" [g, -g.y].
Both are kept below a maximum for each feature. Pairs within a chunk are a masked product.

Every weight is at most 1, but within a chunk its factors are exp(q - log Z + m) and exp(k - m), and
the maximum m counts tokens in that come after some of the queries (backward: queries before some
of the tokens); so chunks are halved until no feature rises by more than `RISE` within one, which
bounds the factors in both directions. Exponents are differences of float64 sums, since q, k and
log Z of 1e4 have to cancel; exponentials and products have the dtype of the values.

All of it can be differentiated again, maxima being constants that cancel; autograd then keeps two
states for each chunk.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch

from fastsoftmax._ops.merge import rescaled
from fastsoftmax.heinsen._layout import FLOOR, LOWEST

#: Tokens taken together, at most.
CHUNK = 64
#: exp(RISE) is small beside the largest float32, and exp(-RISE) large beside the smallest.
RISE = 16.0

Gradients = tuple[Any, Any, Any]


class Sums(NamedTuple):
    """For each feature the maximum m of exponents x, and ``A = sum_t exp(x_t - m) value_t``."""

    m: Any  #: [*batch, 1, d_k], float64
    A: Any  #: [*batch, d_k, width]

    def raised(self, x: Any) -> "Sums":
        """Return the same sums below a maximum that counts `x` [*batch, c, d_k] in."""
        m = torch.maximum(self.m, x.detach().amax(-2, keepdim=True))
        return Sums(*rescaled(self, m, lambda own, m: self.exp(own - m).mT))

    def plus(self, x: Any, values: Any) -> "Sums":
        """Return the sums with `values` [*batch, c, width] at exponents `x` added."""
        m, A = self.raised(x)
        return Sums(m, A + self.exp(x - m).mT @ values)

    def exp(self, exponents: Any) -> Any:
        """Return exponentials in the dtype of the sums."""
        return exponents.to(self.A.dtype).exp()


class Tokens(NamedTuple):
    """What the gradient is computed from: [*batch, n or n_q, width] each."""

    q: Any
    k: Any
    v: Any
    y: Any
    g: Any

    def query(self, span: slice) -> Any:
        """Exponents of queries; -inf counts as a very low number, as it does forward."""
        return self.q[..., span, :].double().clamp(min=FLOOR)

    def key(self, span: slice) -> Any:
        """Exponents of tokens."""
        return self.k[..., span, :].double()

    def value(self, span: slice) -> Any:
        """[v, 1] of tokens."""
        v = self.v[..., span, :]
        return torch.cat([v, torch.ones_like(v[..., :1])], -1)

    def pull(self, span: slice) -> Any:
        """[g, -g.y] of queries."""
        g = self.g[..., span, :]
        return torch.cat([g, -(g * self.y[..., span, :]).sum(-1, keepdim=True)], -1)

    def none_after(self) -> Sums:
        """Return the sums over no queries."""
        batch, d_k = self.k.shape[:-2], self.k.shape[-1]
        m = self.k.new_full((*batch, 1, d_k), LOWEST, dtype=torch.float64)
        return Sums(m, self.v.new_zeros((*batch, d_k, self.v.shape[-1] + 1)))


def causal(of: Tokens, state: Sums) -> Gradients:
    """Return gradients of q, k, v, where query t sees tokens 0..t and what `state` has seen."""
    dq, dk, dv = (torch.empty_like(tensor) for tensor in (of.q, of.k, of.v))
    begin, n, done = 0, of.k.shape[-2], []
    while begin < n:
        span = _span(of.k, state.m, begin)
        q, x, values, pull = of.query(span), of.key(span), of.value(span), of.pull(span)
        m, A = state.raised(x)
        weights, log_z = _weights(q, x, Sums(m, A))
        near = state.exp(x - m)
        dq[..., span, :] = weights * (pull @ A.mT + (pull @ values.mT).tril() @ near)
        state = Sums(m, A + near.mT @ values)
        done.append((span, log_z))
        begin = span.stop
    after = of.none_after()
    for span, log_z in reversed(done):
        r, x, values, pull = of.query(span) - log_z, of.key(span), of.value(span), of.pull(span)
        m, B = after.raised(r)
        weights, near = after.exp(r - m), after.exp(x + m)
        pairs = (pull @ values.mT).tril()
        dk[..., span, :] = near * (values @ B.mT + pairs.mT @ weights)
        dv[..., span, :] = (near @ B + (weights @ near.mT).tril().mT @ pull)[..., :-1]
        after = Sums(m, B + weights.mT @ pull)
    return dq, dk, dv


def joint(of: Tokens, state: Sums) -> Gradients:
    """Return gradients of q, k, v, where every query sees all tokens and those of `state`."""
    dq, dk, dv = (torch.empty_like(tensor) for tensor in (of.q, of.k, of.v))
    for span in _chunks(of.k):
        state = state.plus(of.key(span), of.value(span))
    after = of.none_after()
    for span in _chunks(of.q):
        q, pull = of.query(span), of.pull(span)
        weights, log_z = _weights(q, None, state)
        dq[..., span, :] = weights * (pull @ state.A.mT)
        after = after.plus(q - log_z, pull)
    for span in _chunks(of.k):
        far = after.exp(of.key(span) + after.m)
        dk[..., span, :] = far * (of.value(span) @ after.A.mT)
        dv[..., span, :] = (far @ after.A)[..., :-1]
    return dq, dk, dv


def _weights(q: Any, x: Any, state: Sums) -> tuple[Any, Any]:
    """exp(q - log Z + m) and log Z, where queries see `state` and of the tokens `x` those so far.

    The last column of the sums is z.
    """
    e = q + state.m
    c = e.detach().amax(-1, keepdim=True)
    weights = state.exp(e - c)
    Z = weights @ state.A[..., -1:]
    if x is not None:
        Z = Z + (weights @ state.exp(x - state.m).mT).tril().sum(-1, keepdim=True)
    return weights / Z, c + Z.double().log()


def _chunks(tokens: Any) -> Iterator[slice]:
    n = tokens.shape[-2]
    return (slice(begin, min(begin + CHUNK, n)) for begin in range(0, n, CHUNK))


def _span(k: Any, m: Any, begin: int) -> slice:
    """Return the longest chunk from `begin` on in which no feature rises by more than `RISE`."""
    first = torch.maximum(m, k[..., begin : begin + 1, :].double())
    size = min(CHUNK, k.shape[-2] - begin)
    while size > 1:
        last = k[..., begin : begin + size, :].amax(-2, keepdim=True)
        if not bool((last - first > RISE).any()):
            break
        size //= 2
    return slice(begin, begin + size)
