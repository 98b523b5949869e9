"""Laws of Heinsen attention that hold for any tokens, on every row, of values and of logarithms."""

import pickle
from collections.abc import Callable
from typing import Any, Literal

import fastsoftmax as fs
import numpy as np
import pytest
from fastsoftmax import heinsen
from fastsoftmax.reference.heinsen import log_quadratic, quadratic
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

Floats = NDArray[Any]

# The same examples in every run: a failure here is a failure anywhere.
ROW_BY_ROW = settings(
    derandomize=True,
    deadline=None,
    max_examples=6,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

#: q and k lie on a grid of this step, so that adding whole numbers to them is exact in float32.
STEP = 2.0**-6


class Tokens:
    """Random q, k and values for a row, and what that row makes of them."""

    def __init__(self, kernel: fs.Kernel, sizes: tuple[int, int, int], reach: int, seed: int):
        self.kernel, self.random = kernel, np.random.default_rng([*sizes, reach, seed])
        self.kind: Literal["v", "log_v"] = "log_v" if kernel.op.endswith("log") else "v"
        self.n, self.d_k, self.d_v = sizes
        self.q, self.k = self.features(reach), self.features(reach)
        v = self.random.normal(0, 300 if self.kind == "log_v" else 1, (self.n, self.d_v))
        self.v = v.astype(kernel.dtype)
        # the reference in float64 rounds, too
        self.bound = max(kernel.bound, 2e-15 * max(reach, float(np.abs(v).max())))

    def features(self, reach: int) -> Floats:
        """Vectors for queries or keys within +-reach."""
        most = int(reach / STEP)
        whole = self.random.integers(-most, most, (self.n, self.d_k), endpoint=True)
        return (whole * STEP).astype(self.kernel.dtype)

    def state(self, initial: Any = "empty") -> heinsen.State:
        """Return a state that has seen nothing."""
        return heinsen.State((), self.d_k, self.d_v, initial=initial, dtype=self.kernel.dtype)

    def update(self, state: heinsen.State, tokens: Any = slice(None)) -> heinsen.State:
        """Add some of the tokens to a state."""
        values = {self.kind: self.v[tokens]}
        return state.update(self.k[tokens], **values, isa=self.kernel.isa)

    def ask(self, state: heinsen.State, q: Floats | None = None) -> Floats:
        """Answer queries, by logarithms where values are."""
        answers: Floats = state.attend(
            self.q if q is None else q, log_output=self.kind == "log_v", isa=self.kernel.isa
        )
        return answers

    def attention(self, q: Floats, k: Floats, v: Floats, **how: Any) -> Floats:
        """Run the row over whole sequences."""
        how |= {self.kind: v, "log_output": self.kind == "log_v", "isa": self.kernel.isa}
        answers: Floats = heinsen.attention(q, k, **how)
        return answers

    def assert_near(self, *answers: Floats, causal: bool = False, phantom: bool = False) -> None:
        """Hold answers of all tokens to the row's bound, relative to the mixture of abs(v)."""
        how = {"causal": causal, "phantom": phantom}
        if self.kind == "log_v":
            wanted = log_quadratic(self.q, self.k, self.v, **how)
            size = np.ones_like(wanted)
            rounding = np.spacing(np.abs(wanted).astype(self.v.dtype))
        else:
            wanted = quadratic(self.q, self.k, self.v, **how)
            size = quadratic(self.q, self.k, np.abs(self.v), **how)
            rounding = np.zeros_like(wanted)
        for y in answers:
            assert y.shape == wanted.shape
            assert np.max((np.abs(y - wanted) - rounding) / size) <= self.bound


def any_split(of: Tokens) -> None:
    """Chunks of 1, 7, 64 and all tokens answer as eq. 1, from either initial state."""
    for initial in ("empty", "zeros"):
        found, after = [], []
        for size in {1, 7, 64, of.n}:
            state, parts = of.state(initial), []
            for begin in range(0, of.n, size):
                part = slice(begin, begin + size)
                parts.append(of.attention(of.q[part], of.k[part], of.v[part], state=state))
                of.update(state, part)
            found.append(np.concatenate(parts))
            after.append(of.ask(state))
        of.assert_near(*found, causal=True, phantom=initial == "zeros")
        of.assert_near(*after, phantom=initial == "zeros")


def merging(of: Tokens) -> None:
    """States of any two sets of tokens merge, in either order, to that of all; nothing is 1."""
    left = of.random.random(of.n) < of.random.random()
    for mine in (left, ~left):
        state = of.update(of.state(), mine).merge(of.update(of.state(), ~mine))
        of.assert_near(of.ask(state.merge(of.state())), of.ask(of.state().merge(state)))


def constants(of: Tokens) -> None:
    """Add a constant to all of q and another to all of k: nothing changes."""
    a, b = of.random.integers(-8192, 8192, 2).astype(of.kernel.dtype)
    for causal in (True, False):
        of.assert_near(of.attention(of.q + a, of.k + b, of.v, causal=causal), causal=causal)


def order(of: Tokens) -> None:
    """Where all is seen, the order of tokens is not, and each query is answered by itself."""
    shuffled, asked = of.random.permutation(of.n), of.random.permutation(of.n)
    y = np.empty_like(of.v)
    y[asked] = of.attention(of.q[asked], of.k[shuffled], of.v[shuffled], causal=False)
    of.assert_near(y)


def appended(of: Tokens) -> None:
    """Append a token: every query sees it, the earlier ones, too (eq. 8)."""
    state = of.update(of.state(), slice(0, -1))
    before = of.ask(state) if of.n > 1 else None
    of.update(state, slice(-1, None))
    of.assert_near(of.ask(state), of.attention(of.q, of.k, of.v, causal=False))
    of.k[-1] = of.k.max(axis=0) + 1  # a token that weighs more than any other
    y = of.attention(of.q, of.k, of.v, causal=False)
    of.assert_near(y)
    assert before is None or (y != before).any(axis=1).all()


def units(of: Tokens) -> None:
    """Values in another unit give answers in it: to the bit for a power of two."""
    y = of.attention(of.q, of.k, of.v)
    if of.kind == "v":
        assert np.array_equal(of.attention(of.q, of.k, -8 * of.v), -8 * y)
    of.v = of.v + of.v.dtype.type(128 if of.kind == "log_v" else 1)
    of.assert_near(of.attention(of.q, of.k, of.v), causal=True)


def between(of: Tokens) -> None:
    """Answers are mixtures: none is beyond the values seen so far, but by its rounding."""
    y = of.attention(of.q, of.k, of.v).astype(np.float64)
    seen = of.v.astype(np.float64)
    slack = of.bound * np.maximum.accumulate(np.abs(seen)) + of.bound
    assert np.all(y <= np.maximum.accumulate(seen) + slack)
    assert np.all(y >= np.minimum.accumulate(seen) - slack)


LAWS = [any_split, merging, constants, order, appended, units, between]
SIZES = st.tuples(st.integers(1, 80), st.integers(1, 20), st.integers(1, 20))
REACH = st.sampled_from([1, 30, 10_000])


@pytest.mark.parametrize("law", LAWS)
@ROW_BY_ROW
@given(sizes=SIZES, reach=REACH, seed=st.integers(0, 99))
def test_law_of_values(
    heinsen_kernel: fs.Kernel, law: Any, sizes: tuple[int, int, int], reach: int, seed: int
) -> None:
    """On rows that mix values of any sign."""
    law(Tokens(heinsen_kernel, sizes, reach, seed))


@pytest.mark.parametrize("law", LAWS)
@ROW_BY_ROW
@given(sizes=SIZES, reach=REACH, seed=st.integers(0, 99))
def test_law_of_logarithms(
    heinsen_log_kernel: fs.Kernel, law: Any, sizes: tuple[int, int, int], reach: int, seed: int
) -> None:
    """On rows that mix values given as logarithms."""
    law(Tokens(heinsen_log_kernel, sizes, reach, seed))


def test_complex_logarithms_cumulated() -> None:
    """Eq. 4 with the complex logarithms of signed values: real mixtures, causal."""
    random = np.random.default_rng(3)
    q, k, v = (random.normal(size=(20, d)) for d in (4, 4, 3))
    log_v = np.log(v.astype(complex))
    H_S = np.log(np.cumsum(np.exp(k[:, :, None] + log_v[:, None, :]), axis=0))
    H_Z = np.log(np.cumsum(np.exp(k), axis=0))
    S, Z = np.exp(q[:, :, None] + H_S).sum(axis=1), np.exp(q + H_Z).sum(axis=1)
    y = heinsen.attention(q, k, v)
    assert np.abs((S / Z[:, None]).imag).max() < 1e-13
    np.testing.assert_allclose(y, (S / Z[:, None]).real, rtol=0, atol=1e-13)


#: What no state of d_k = 5 and d_v = 3 in float32 takes, by what is wrong with it.
BAD: dict[str, Callable[[heinsen.State, dict[str, Any]], object]] = {
    "width of q": lambda s, t: s.attend(t["q"][:, :4]),
    "rank of q": lambda s, t: s.attend(t["q"][None]),
    "dtype of q": lambda s, t: s.attend(t["q"].astype(np.float64)),
    "integers": lambda s, t: s.attend(t["q"].astype(np.int32)),
    "masked": lambda s, t: s.attend(np.ma.array(t["q"])),
    "no array": lambda s, t: s.attend(t["q"].tolist()),
    "width of k": lambda s, t: s.update(t["q"][:, :4], t["v"]),
    "width of v": lambda s, t: s.update(t["q"], t["v"][:, :2]),
    "number of v": lambda s, t: s.update(t["q"], t["v"][1:]),
    "dtype of v": lambda s, t: s.update(t["q"], t["v"].astype(np.float64)),
    "no values": lambda s, t: s.update(t["q"]),
    "both values": lambda s, t: s.update(t["q"], t["v"], log_v=t["v"]),
    "threads": lambda s, t: s.update(t["q"], **t["values"], threads=0),
    "isa": lambda s, t: s.update(t["q"], **t["values"], isa="none"),
    "number of q in a step": lambda s, t: s.step(t["q"][1:], t["q"], **t["values"]),
    "width of k in a step": lambda s, t: s.step(t["q"][0], t["q"][0, 1:], t["v"][0]),
    "dtype in a step": lambda s, t: s.step(t["q"][0], t["q"][0], t["v"][0].astype(np.float64)),
    "no state": lambda s, t: s.merge(t["q"]),
    "width of another": lambda s, t: s.merge(heinsen.State((), 5, 4)),
    "batch of another": lambda s, t: s.merge(heinsen.State((1,), 5, 3)),
    "dtype of another": lambda s, t: s.merge(heinsen.State((), 5, 3, dtype=np.float64)),
    "tokens for another state": lambda s, t: heinsen.attention(t["q"][:, :4], t["q"], state=s),
    "queries too many": lambda s, t: heinsen.attention(t["q"][1:], t["q"], state=s, **t["values"]),
}


@pytest.mark.parametrize("kind", ["v", "log_v", None])
@pytest.mark.parametrize("wrong", BAD)
def test_a_state_survives(wrong: str, kind: str | None) -> None:
    """Whatever is refused leaves every bit as it was, and the kind undecided that was."""
    random = np.random.default_rng(1)
    tokens = {
        name: random.normal(size=(4, d)).astype(np.float32) for name, d in (("q", 5), ("v", 3))
    }
    state = heinsen.State((), 5, 3)
    values: dict[str, Any] = {kind or "v": tokens["v"]}
    if kind:
        state.update(tokens["q"], **values)
    before = pickle.dumps(state)
    with pytest.raises((TypeError, ValueError)):
        BAD[wrong](state, {**tokens, "values": values})
    assert pickle.dumps(state) == before
