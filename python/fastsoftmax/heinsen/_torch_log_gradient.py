"""The gradient of Heinsen attention between logarithms: of log v given, and of log y.

With a last column ``log v = 0``, whose log S is log Z, everything is a function of

    x_sij = k_si + log v_sj     log S_tj = LSE_s,i(q_ti + x_sij)     log y_tj = log S_tj - log Z_t

With g_tj the gradient of log S_tj (that of log y_tj; in the last column minus the sum of these),

    dL/dq_ti  = sum_j g_tj exp(q_ti - log S_tj) sum_s exp(x_sij)
    dL/dx_sij = exp(x_sij) sum_t g_tj exp(q_ti - log S_tj)

over the pairs where query t sees token s; dL/dk and dL/dlog v sum the second over j and over i.
The inner sums, cumulative from the first token and from the last, are kept below a maximum for each
(i, j): a chunk of c tokens takes c*d_k*d_v numbers. Chunks, exponents and second derivatives are
those of `_torch_gradient`.

Rejected: one maximum for each feature and one for each column, whose products are matrix products.
A token whose log v lies far below the largest would vanish, also for the queries before that one.
"""

from typing import Any, NamedTuple

import torch

from fastsoftmax._ops.merge import rescaled
from fastsoftmax.heinsen._layout import LOWEST
from fastsoftmax.heinsen._torch_gradient import RISE, Gradients, Tokens

#: Tokens taken together, at most.
CHUNK = 16


class LogSums(NamedTuple):
    """For each (i, j) the maximum m of exponents, and what is summed below it."""

    m: Any  #: [*batch, 1, d_k, d_v + 1], float64
    A: Any  #: likewise, in the dtype of log v

    def raised(self, x: Any) -> "LogSums":
        """Return the same sums below a maximum that counts `x` [*batch, c, d_k, d_v + 1] in."""
        m = torch.maximum(self.m, x.detach().amax(-3, keepdim=True))
        return LogSums(*rescaled(self, m, lambda own, m: self.exp(own - m)))

    def exp(self, exponents: Any) -> Any:
        """Return exponentials in the dtype of the sums."""
        return exponents.to(self.A.dtype).exp()


def causal(of: Tokens, state: LogSums) -> Gradients:
    """Return gradients of q, k, log v, where query t sees tokens 0..t and those of `state`."""
    dq, dk, dv = (torch.empty_like(tensor) for tensor in (of.q, of.k, of.v))
    begin, done = 0, []
    while begin < of.k.shape[-2]:
        x = _rising(_exponents(of, slice(begin, begin + CHUNK)), state.m)
        span = slice(begin, begin + x.shape[-3])
        m, A = state.raised(x)
        A = A + state.exp(x - m).cumsum(-3)
        dq[..., span, :], log_s = _answer(of, span, LogSums(m, A))
        state = LogSums(m, A[..., -1:, :, :])
        done.append((span, log_s))
        begin = span.stop
    after = _nothing(state)
    for span, log_s in reversed(done):
        r, x = _query(of, span) - log_s, _exponents(of, span)
        m, B = after.raised(r)
        B = B + (after.exp(r - m) * _pull(of, span)).flip(-3).cumsum(-3).flip(-3)
        dx = after.exp(x + m) * B
        dk[..., span, :], dv[..., span, :] = dx.sum(-1), dx[..., :-1].sum(-2)
        after = LogSums(m, B[..., :1, :, :])
    return dq, dk, dv


def joint(of: Tokens, state: LogSums) -> Gradients:
    """Return gradients of q, k, log v, where every query sees all tokens and those of `state`."""
    dq, dk, dv = (torch.empty_like(tensor) for tensor in (of.q, of.k, of.v))
    for span in _chunks(of.k):
        x = _exponents(of, span)
        m, A = state.raised(x)
        state = LogSums(m, A + state.exp(x - m).sum(-3, keepdim=True))
    after = _nothing(state)
    for span in _chunks(of.q):
        dq[..., span, :], log_s = _answer(of, span, state)
        r = _query(of, span) - log_s
        m, B = after.raised(r)
        after = LogSums(m, B + (after.exp(r - m) * _pull(of, span)).sum(-3, keepdim=True))
    for span in _chunks(of.k):
        dx = after.exp(_exponents(of, span) + after.m) * after.A
        dk[..., span, :], dv[..., span, :] = dx.sum(-1), dx[..., :-1].sum(-2)
    return dq, dk, dv


def _answer(of: Tokens, span: slice, seen: LogSums) -> tuple[Any, Any]:
    """Return dL/dq of queries that see the sums, and their log S; +inf for a sum of nothing."""
    e = _query(of, span) + seen.m
    c = e.detach().amax(-2, keepdim=True)
    mixed = seen.exp(e - c) * seen.A
    S = mixed.sum(-2, keepdim=True)
    S = torch.where(S > 0, S, torch.inf)  # so that every weight over it is 0
    return (mixed * (_pull(of, span) / S)).sum(-1), c + S.double().log()


def _exponents(of: Tokens, span: slice) -> Any:
    """Return k + log v and, in the last column, k."""
    log_v = torch.nn.functional.pad(of.v[..., span, :].double(), (0, 1))
    return of.key(span)[..., None] + log_v[..., None, :]


def _query(of: Tokens, span: slice) -> Any:
    return of.query(span)[..., None]


def _pull(of: Tokens, span: slice) -> Any:
    """Return the gradients of log S; a log y of -inf, where nothing is mixed, has none."""
    g = of.g[..., span, :].masked_fill(of.y[..., span, :] == -torch.inf, 0)
    return torch.cat([g, -g.sum(-1, keepdim=True)], -1)[..., None, :]


def _nothing(like: LogSums) -> LogSums:
    return LogSums(torch.full_like(like.m, LOWEST), torch.zeros_like(like.A))


def _chunks(tokens: Any) -> list[slice]:
    return [slice(begin, begin + CHUNK) for begin in range(0, tokens.shape[-2], CHUNK)]


def _rising(x: Any, m: Any) -> Any:
    """Return as much of a chunk from its start as raises no maximum by more than `RISE`."""
    first = torch.maximum(m, x[..., :1, :, :])
    while x.shape[-3] > 1 and bool((x.amax(-3, keepdim=True) - first > RISE).any()):
        x = x[..., : x.shape[-3] // 2, :, :]
    return x
