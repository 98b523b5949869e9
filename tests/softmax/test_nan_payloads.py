"""NaN of every sign, payload and kind stays NaN: on every row of the table and in every operation.

R's NA, and what integer code leaves in the memory of a float, are NaN whose low bits aren't 0.
Arithmetic on the bits of logits could make numbers of them.
"""

from collections.abc import Callable
from typing import Any

import fastsoftmax as fs
import numpy as np
import pytest
from fastsoftmax import heinsen
from nan_payloads import is_nan, nans, spoilt
from references import Floats, gaussian

FLOAT64_ISAS = [k.isa for k in fs.kernels() if k.id.startswith("online/exact") and k.available]
R_NA = 0x7FF00000000007A2

#: Along the axis: one vector and less, tails, each class of rows, several blocks.
LENGTHS = (1, 2, 3, 17, 32, 33, 64, 129, 200, 700, 2100, 5000, 70001)


def assert_rows(result: Floats, wanted_nan: Any) -> None:
    """Check that these rows are NaN all over, and the others not at all."""
    shown = is_nan(result).reshape(len(wanted_nan), -1)
    assert (shown.all(axis=1) == wanted_nan).all()
    assert (shown.any(axis=1) == wanted_nan).all()


def outcomes(x: Floats, variant: str, isa: str, axis: int) -> list[Floats]:
    """Give the results of all operations that have the variant; rows first."""
    call: dict[str, Any] = {"axis": axis, "isa": isa}
    found = [fs.online(x, variant, **call), fs.log_softmax(x, variant, **call)]
    found = [p if axis == -1 else np.moveaxis(p, axis, -1) for p in found]
    found += [*fs.normalizer(x, variant, **call), fs.logsumexp(x, variant, **call)]
    return found


@pytest.mark.parametrize("axis", [-1, 0])
def test_every_row_of_online(online_kernel: fs.Kernel, axis: int) -> None:
    """Softmax, its logarithm, its state and log-sum-exp, along rows and along columns."""
    for number, n in enumerate(LENGTHS):
        rows = 9 if n < 1000 else 5
        x = spoilt(gaussian(online_kernel, (rows, n), 2.0), number)
        given = x if axis == -1 else np.asfortranarray(x.T).T.T.copy()
        wanted = np.isnan(x).any(axis=1)
        for result in outcomes(given, online_kernel.variant, online_kernel.isa, axis):
            assert_rows(result, wanted)


def test_beside_infinities(online_kernel: fs.Kernel) -> None:
    """Beside -inf, +inf and the lowest number NaN is found as beside others."""
    for rest in (-np.inf, np.inf, np.finfo(online_kernel.dtype).min, 0.0):
        x = spoilt(np.full((12, 37), rest, dtype=online_kernel.dtype), 5)
        for result in outcomes(x[:3], online_kernel.variant, online_kernel.isa, -1)[:2]:
            assert np.isnan(result).all()


def test_with_scale_mask_and_sink(online_kernel: fs.Kernel) -> None:
    """NaN of a logit, of an added mask and of a sink survive; what a mask takes out is out."""
    call: dict[str, Any] = {"variant": online_kernel.variant, "isa": online_kernel.isa}
    x = gaussian(online_kernel, (9, 70), 2.0)
    bad = spoilt(x, 1)
    wanted = np.isnan(bad).any(axis=1)
    zeros = np.zeros_like(x)
    assert_rows(fs.online(bad, scale=0.5, **call), wanted)
    assert_rows(fs.online(bad, mask=zeros, scale=0.5, **call), wanted)
    assert_rows(fs.online(x, mask=spoilt(zeros, 2), **call), wanted)
    assert_rows(fs.online(x, sink=nans(x.dtype, len(x)), **call), np.ones(len(x), bool))
    p = fs.online(bad, mask=~np.isnan(bad), **call)
    assert np.allclose(p.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_halves(float32_online_kernel: fs.Kernel, dtype: str) -> None:
    """Every NaN of 16 bits."""
    pytest.importorskip("ml_dtypes")  # registers bfloat16
    kind = np.dtype(dtype)
    words = np.arange(1 << 16, dtype=np.uint16)
    every = words[is_nan(words.view(kind))].view(kind)
    assert len(every) == 2 * (2 ** {"float16": 10, "bfloat16": 7}[dtype] - 1)
    x = np.zeros((len(every), 9), dtype=kind)
    x.view(np.uint16)[np.arange(len(every)), np.arange(len(every)) % 9] = every.view(np.uint16)
    for result in outcomes(x, float32_online_kernel.variant, float32_online_kernel.isa, -1):
        assert is_nan(result).all()


def test_scan(guarded_scan_kernel: fs.Kernel) -> None:
    """The recurrence, with NaN first, last and between."""
    for n in (1, 2, 9, 100):
        x = spoilt(gaussian(guarded_scan_kernel, (40, n)), n)
        m, s = fs.scan(x, guarded_scan_kernel.variant, isa=guarded_scan_kernel.isa)
        assert_rows(m, np.isnan(x).any(axis=1))
        assert_rows(s, np.isnan(x).any(axis=1))


@pytest.mark.parametrize("k", [1, 5, 64, 65, 150])
def test_topk(topk_kernel: fs.Kernel, k: int) -> None:
    """Probabilities of the row are NaN, and its numbers come before its NaN."""
    x = spoilt(gaussian(topk_kernel, (24, 150)), k)
    bad = np.isnan(x).any(axis=1)
    p, places = fs.topk(x, k, isa=topk_kernel.isa)
    assert_rows(p, bad)
    chosen = np.take_along_axis(x, places, axis=1)
    assert np.isnan(chosen[:, : min(k, 149)]).sum() == 0
    assert all(len(set(row)) == k for row in places.tolist())


@pytest.mark.parametrize("isa", FLOAT64_ISAS)
@pytest.mark.parametrize("bits", [0x7FF8000000000001, 0x7FF0000000000001, 0xFFF8DEADBEEF0001, R_NA])
def test_known_patterns(isa: str, bits: int) -> None:
    """The patterns of reports: R's NA, and a payload of 1."""
    x = np.zeros((1, 3))
    x.view(np.uint64)[0, 1] = bits
    for result in outcomes(x, "exact", isa, -1):
        assert np.isnan(result).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_max_sum(dtype: type) -> None:
    """The streamed state, merged from two parts of which one has NaN."""
    x = spoilt(np.random.default_rng(3).standard_normal((16, 50)).astype(dtype), 7)
    first = fs.MaxSum((16,), dtype=dtype).update(x[:, :25])
    state = first + fs.MaxSum((16,), dtype=dtype).update(x[:, 25:])
    wanted = np.isnan(x).any(axis=1)
    assert_rows(state.m, wanted)
    assert_rows(state.s, wanted)
    assert_rows(state.logsumexp, wanted)
    assert_rows(state.probabilities(x), wanted)


HEINSEN = [k for k in fs.kernels() if k.op in ("heinsen", "heinsen_log") and k.available]


@pytest.mark.parametrize("kernel", HEINSEN, ids=lambda k: f"{k.id}/{k.dtype}")
@pytest.mark.parametrize("tokens", [1, 3, 40])
def test_heinsen(kernel: fs.Kernel, tokens: int) -> None:
    """NaN in a key spoils all answers, in a value its column, in a query its own answer."""
    name = "v" if kernel.op == "heinsen" else "log_v"
    rng = np.random.default_rng(tokens)

    def answers(change: Callable[[dict[str, Floats]], None]) -> Floats:
        parts = {key: rng.standard_normal((tokens, 6)).astype(kernel.dtype) for key in "qk"}
        parts["v"] = rng.standard_normal((tokens, 5)).astype(kernel.dtype)
        change(parts)
        state = heinsen.State((), 6, 5, dtype=kernel.dtype)
        values: dict[str, Any] = {name: parts["v"]}
        state.update(parts["k"], isa=kernel.isa, **values)
        return np.asarray(state.attend(parts["q"], isa=kernel.isa))

    for seed, bad in enumerate(nans(kernel.dtype, 20)):
        at = seed % tokens

        def put(part: str, bad: Any = bad, at: int = at) -> Callable[[dict[str, Floats]], None]:
            def change(parts: dict[str, Floats]) -> None:
                array = parts[part]
                array.view(f"u{array.itemsize}")[at, 2] = bad.view(f"u{array.itemsize}")

            return change

        assert np.isnan(answers(put("k"))).all()
        assert (np.isnan(answers(put("v"))).all(axis=0) == (np.arange(5) == 2)).all()
        assert (np.isnan(answers(put("q"))).all(axis=1) == (np.arange(tokens) == at)).all()
