"""scale=, mask= and sink=, for every variant, dtype and ISA, against the float64 reference."""

from typing import Any

import fastsoftmax as fs
import numpy as np
import pytest
from references import Floats, gaussian, rounding, weights

SHAPES = [(5, 7), (3, 4, 50), (2, 3, 33, 65), (3, 300)]


def masks(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> dict[str, Any]:
    """Give masks of several kinds and broadcasts."""
    keep = rng.random(shape) < 0.7
    lowest = np.finfo(dtype).min
    added = rng.standard_normal(shape).astype(dtype)
    return {
        "none": None,
        "bool": keep,
        "one for all rows": keep[(0,) * (len(shape) - 1)],
        "one for each row": keep[..., :1],
        "float": added,
        "-inf": np.where(keep, added, -np.inf).astype(dtype),
        "lowest": np.where(keep, 0, lowest).astype(dtype),
        "half of lowest": np.where(keep, added, lowest / 2).astype(dtype),
        "transposed": np.asfortranarray(keep),
    }


def expected(kernel: fs.Kernel, x: Floats, **adapting: Any) -> Floats:
    """Softmax in float64 of what float32 makes of scale * x + mask, weighed by the row's ISA."""

    def weight(d: Floats) -> Floats:
        finite = np.where(np.isfinite(d), d, 0)
        h = weights(kernel, finite).astype(np.float64)
        return np.where(np.isneginf(d), 0.0, np.where(np.isnan(d), np.nan, h))

    return fs.reference.online(x, weight=np.exp if kernel.form == "exp" else weight, **adapting)


def tolerance(kernel: fs.Kernel) -> float:
    """Give the relative error that is allowed: scale * x + mask, up to 16 here, is rounded, too."""
    if kernel.dtype == "float64":
        return 2e-14
    # weights of exp's variants depend on the place in a power of two, those of others on d alone
    return rounding(kernel) + 4e-6 + (3 * kernel.bound if kernel.form == "exp" else 1e-4)


@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize("shape", SHAPES)
def test_against_reference(online_kernel: fs.Kernel, shape: tuple[int, ...], axis: int) -> None:
    """All combinations of the three, along the last axis and along another."""
    rng = np.random.default_rng(len(shape))
    x = gaussian(online_kernel, shape, 2.0)
    sinks = [None, rng.standard_normal(np.delete(shape, axis)).astype(x.dtype)]
    for name, mask in masks(rng, shape, online_kernel.dtype).items():
        for scale, sink in ((1.0, sinks[0]), (0.37, sinks[1]), (-1.5, None)):
            given = {"axis": axis, "scale": scale, "mask": mask, "sink": sink}
            p = fs.online(x, online_kernel.variant, isa=online_kernel.isa, **given)
            wanted = expected(online_kernel, x, **given)
            error = np.abs(p - wanted)
            allowed = tolerance(online_kernel) * (wanted + online_kernel.bound) + 1e-7
            if online_kernel.dtype == "float64":
                allowed = 2e-14 * np.maximum(wanted, 1e-3)
            assert (error <= allowed).all(), (name, scale, sink is not None, float(error.max()))


def test_mask_takes_everything_out_of_its_positions(online_kernel: fs.Kernel) -> None:
    """NaN and infinities don't matter where the mask is False, and do where it is True."""
    for n in (3, 40, 700):
        x = gaussian(online_kernel, (4, n))
        keep = np.ones(x.shape, dtype=bool)
        keep[:, 1] = False
        wanted = fs.online(np.where(keep, x, -np.inf).astype(x.dtype), online_kernel.variant,
                           isa=online_kernel.isa)  # fmt: skip
        x[:, 1] = [np.nan, np.inf, -np.inf, 1e30]
        added = np.where(keep, 0, -np.inf).astype(x.dtype)
        for mask in (keep, added):
            p = fs.online(x, online_kernel.variant, mask=mask, isa=online_kernel.isa)
            assert (p[:, 1] == 0).all()
            assert np.allclose(p, wanted, rtol=1e-6, atol=0)
        seen = fs.online(x, online_kernel.variant, mask=~keep | keep, isa=online_kernel.isa)
        assert np.isnan(seen[:2]).all()


@pytest.mark.parametrize("axis", [0, 1])
def test_nothing_left(online_kernel: fs.Kernel, axis: int) -> None:
    """0 where the mask has removed a whole row, NaN where the logits kept are -inf."""
    shape = (30, 40)
    x = gaussian(online_kernel, shape)
    keep = np.ones(shape, dtype=bool)
    rows, kept = (x, keep) if axis == 1 else (x.T, keep.T)
    kept[3] = False
    rows[5], kept[5, 1:] = -np.inf, False
    for mask in (keep, np.where(keep, 0, -np.inf).astype(x.dtype)):
        call: dict[str, Any] = {"axis": axis, "mask": mask, "isa": online_kernel.isa}
        p = fs.online(x, online_kernel.variant, **call)
        p = p if axis == 1 else p.T
        assert (p[3] == 0).all()
        assert np.isnan(p[5]).all()
        assert np.isfinite(p[[0, 1, 2, 4]]).all()
        log_p = fs.log_softmax(x, online_kernel.variant, **call)
        log_p = log_p if axis == 1 else log_p.T
        assert np.isneginf(log_p[3]).all()
        assert np.isnan(log_p[5]).all()
        m, s = fs.normalizer(x, online_kernel.variant, **call)
        assert (m[[3, 5]] == -np.inf).all()
        assert (s[[3, 5]] == 0).all()
        assert (fs.logsumexp(x, online_kernel.variant, **call)[[3, 5]] == -np.inf).all()
        sunk = fs.online(x, online_kernel.variant, sink=0.5, **call)
        assert (np.take(sunk, [3, 5], axis=1 - axis) == 0).all()


def test_sink_is_one_more_logit(online_kernel: fs.Kernel) -> None:
    """A sink gives what a further column gives, without that column."""
    for n in (1, 15, 33, 400):
        x = gaussian(online_kernel, (6, n))
        sink = np.array([-np.inf, -3, 0, 1, 50, np.nan], dtype=x.dtype)
        whole = np.concatenate([x, sink[:, None]], axis=1)
        call: dict[str, Any] = {"isa": online_kernel.isa}
        wanted = fs.online(whole, online_kernel.variant, **call)[:, :-1]
        p = fs.online(x, online_kernel.variant, sink=sink, **call)
        assert np.allclose(p, wanted, rtol=1e-6, atol=0, equal_nan=True)
        for reduce in (fs.logsumexp, lambda *a, **k: fs.normalizer(*a, **k)[1]):
            assert np.allclose(
                reduce(x, online_kernel.variant, sink=sink, **call),
                reduce(whole, online_kernel.variant, **call),
                rtol=1e-6, equal_nan=True,
            )  # fmt: skip


def test_threads_give_the_same_bits() -> None:
    """A mask, a sink and a scale, split over threads."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((8, 16, 50, 128)).astype(np.float32)
    keep = np.tril(np.ones((50, 128), dtype=bool), 40)
    sink = rng.standard_normal(16).astype(np.float32)
    for axis, mask, given in ((-1, keep, sink[:, None]), (1, None, None), (2, keep, sink[:, None])):
        call: dict[str, Any] = {"axis": axis, "scale": 0.125, "mask": mask, "sink": given}
        wanted = fs.online(x, threads=1, **call)
        for threads in (2, 3, 7):
            assert np.array_equal(fs.online(x, threads=threads, **call), wanted)


def test_in_place_and_overlapping_operands() -> None:
    """The result may overwrite the logits, and even the mask or the sink."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal((20, 64)).astype(np.float32)
    mask = rng.standard_normal((20, 64)).astype(np.float32)
    wanted = fs.online(x, scale=2.0, mask=mask)
    held = x.copy()
    assert fs.online(held, scale=2.0, mask=mask, out=held) is held
    assert np.array_equal(held, wanted)
    spoiled = mask.copy()
    assert fs.online(x, scale=2.0, mask=spoiled, out=spoiled) is spoiled
    assert np.array_equal(spoiled, wanted)
    for by in (1, 5):
        room = np.zeros(20 * 64 + by, dtype=np.float32)
        room[: 20 * 64] = mask.ravel()
        out = room[by:].reshape(20, 64)
        overlapping = room[: 20 * 64].reshape(20, 64)
        assert np.array_equal(fs.online(x, scale=2.0, mask=overlapping, out=out), wanted)


BAD: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "scale text": ({"scale": "1"}, TypeError, "scale must be a number"),
    "scale bool": ({"scale": True}, TypeError, "scale must be a number"),
    "scale None": ({"scale": None}, TypeError, "scale must be a number"),
    "scale array": ({"scale": np.ones(2)}, TypeError, "scale must be a number"),
    "scale NaN": ({"scale": float("nan")}, ValueError, "scale is nan; it must be finite"),
    "scale inf": ({"scale": float("inf")}, ValueError, "finite"),
    "mask integer": ({"mask": np.ones(3, int)}, TypeError, r"mask must be an array of bool.*int64"),
    "mask list": ({"mask": [True, False, True]}, TypeError, "mask must be an array.*list"),
    "mask complex": ({"mask": np.ones(3, complex)}, TypeError, "mask must be an array"),
    "mask shape": (
        {"mask": np.ones((3, 2), bool)},
        ValueError,
        r"mask has shape \(3, 2\).*\(2, 3\)",
    ),
    "mask larger": ({"mask": np.ones((4, 2, 3), bool)}, ValueError, "can't be broadcast"),
    "sink text": ({"sink": "1"}, TypeError, "sink must be a number or an array of float"),
    "sink bool": ({"sink": np.ones(2, bool)}, TypeError, "sink must be a number or an array"),
    "sink shape": ({"sink": np.ones(3, np.float32)}, ValueError, r"sink has shape \(3,\).*\(2,\)"),
    "sink like logits": ({"sink": np.ones((2, 3), np.float32)}, ValueError, "sink has shape"),
}


@pytest.mark.parametrize(("arguments", "error", "words"), BAD.values(), ids=BAD)
def test_bad_operands(arguments: dict[str, Any], error: type[Exception], words: str) -> None:
    """What can't be meant is refused, and nothing is written."""
    x = np.zeros((2, 3), dtype=np.float32)
    out = np.full((2, 3), 5, dtype=np.float32)
    for operation in (fs.online, fs.log_softmax):
        with pytest.raises(error, match=words):
            operation(x, out=out, **arguments)
        assert (out == 5).all()
    for reduce in (fs.normalizer, fs.logsumexp):
        with pytest.raises(error, match=words):
            reduce(x, **arguments)


def test_operands_of_other_dtypes() -> None:
    """Masks and sinks of any float dtype, scales of any real type."""
    x = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    mask = np.array([0, -1, -np.inf, 2])
    wanted = fs.online(x, scale=2.0, mask=mask.astype(np.float32), sink=np.float32(1))
    for dtype in (np.float16, np.float64, np.longdouble):
        assert np.array_equal(fs.online(x, scale=2, mask=mask.astype(dtype), sink=1), wanted)
    lowest = np.where(np.isinf(mask), np.finfo(np.float64).min, mask)
    assert np.array_equal(fs.online(x, scale=np.float64(2), mask=lowest, sink=1.0), wanted)


#: logits, mask, and half of the lowest number of the narrower of mask and type computed in
MASKS = [
    ("float16", "float16", -32752.0),
    ("bfloat16", "float16", -32752.0),
    ("float32", "float16", -32752.0),
    ("float64", "float16", -32752.0),
    ("float32", "bfloat16", float.fromhex("-0x1.fep126")),
    ("float64", "bfloat16", float.fromhex("-0x1.fep126")),
    ("float64", "float32", float.fromhex("-0x1.fffffep126")),
    ("float32", "float32", float.fromhex("-0x1.fffffep126")),
    ("float16", "float64", float.fromhex("-0x1.fffffep126")),
    ("float64", "float64", float.fromhex("-0x1.fffffffffffffp1022")),
]


@pytest.mark.parametrize(("logits", "mask", "edge"), MASKS)
def test_masks_out_by_the_lowest_number_of_its_own_dtype(
    logits: str, mask: str, edge: float
) -> None:
    """Half of the lowest number of a narrow mask, and less, takes out, NaN too; more doesn't."""
    pytest.importorskip("ml_dtypes")  # registers bfloat16
    x = np.zeros((5, 4), dtype=np.dtype(logits))
    x[2:, 1] = np.nan
    added = np.zeros((5, 4), dtype=np.dtype(mask))
    added[0] = 1.01 * edge
    added[1, 1] = 0.99 * edge
    added[2, 1], added[3, 1], added[4, 1] = edge, 2 * edge, -np.inf
    third = [1 / 3, 0, 1 / 3, 1 / 3]
    wanted = np.array([[0] * 4, *[third] * 4])
    p = fs.online(x, mask=added)
    assert p.dtype == x.dtype
    assert np.allclose(p.astype(np.float64), wanted, atol=2e-3)
    assert np.array_equal(fs.online(x[:, :, None], axis=1, mask=added[:, :, None])[:, :, 0], p)
    log_p = fs.log_softmax(x, mask=added).astype(np.float64)
    below = added.astype(np.float64)
    beyond = below < -65504 if logits == "float16" else False  # -inf in the result's dtype
    assert np.array_equal(np.isneginf(log_p), (below <= edge) | beyond)
    sums = np.array([-np.inf, *[np.log(3)] * 4])
    assert np.allclose(fs.logsumexp(x, mask=added).astype(np.float64), sums, atol=5e-3)
    m, s = fs.normalizer(x, mask=added)
    assert np.array_equal(m, [-np.inf, 0, 0, 0, 0])
    assert np.array_equal(s, [0, 3, 3, 3, 3])
    best, places = fs.topk(x, 3, mask=added)
    assert np.allclose(best.astype(np.float64)[1:], 1 / 3, atol=2e-3)
    assert np.array_equal(places[1:], [[0, 2, 3]] * 4)
    assert (best[0].astype(np.float64) == 0).all()


def test_masks_of_float16_rows_as_models_make_them() -> None:
    """A causal mask of float16's lowest number over NaN, and rows of which it leaves nothing."""
    n = 40
    later = np.triu(np.ones((n, n), dtype=bool), 1)
    mask = np.where(later, np.finfo(np.float16).min, 0).astype(np.float16)
    x = np.random.default_rng(4).standard_normal((n, n)).astype(np.float16)
    wanted = fs.online(x, mask=~later)
    x[later] = np.nan
    mask[7] = np.finfo(np.float16).min
    wanted[7] = 0
    assert np.array_equal(fs.online(x, mask=mask), wanted)


def test_the_smallest_scales(exact_online_kernel: fs.Kernel) -> None:
    """The smallest normal number is a scale, and so is 0."""
    dtype = exact_online_kernel.dtype
    x = np.array([[0, -np.inf, 1, -1]], dtype=dtype)
    third = np.array([[1 / 3, 0, 1 / 3, 1 / 3]])
    for scale in (float(np.finfo(dtype).smallest_normal), 1.01e-37):
        p = fs.online(x, scale=scale, isa=exact_online_kernel.isa)
        assert np.allclose(p, third)
        p = fs.online(x[:, ::2], scale=-scale, isa=exact_online_kernel.isa)
        assert np.allclose(p, 0.5)
    assert np.allclose(fs.online(x[:, ::2], scale=0.0, isa=exact_online_kernel.isa), 0.5)


def call_topk(x: Floats, **given: Any) -> Any:
    """Give `topk` the signature of the others."""
    return fs.topk(x, 2, **given)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("f", [fs.online, fs.log_softmax, fs.logsumexp, fs.normalizer, call_topk])
def test_scales_beyond_the_dtype(dtype: str, f: Any) -> None:
    """A scale that the type computed in takes for 0, which makes NaN of -inf, or for infinity."""
    computed = np.finfo("float64" if dtype == "float64" else "float32")
    x = np.array([[0, -np.inf, 1, -1]], dtype=dtype)
    for factor in (0.5, -0.5, 1e-3, -float(computed.eps), float(computed.eps) / 8):
        scale = float(computed.smallest_normal) * factor
        if scale != 0:
            with pytest.raises(ValueError, match=r"scale is .*e-\d+, which float\d\d.* for 0"):
                f(x, scale=scale)
    for scale in (1e39, -1e300) if dtype != "float64" else ():
        with pytest.raises(ValueError, match=r"scale is .*beyond float32 \(3\.4e\+38\)"):
            f(x, scale=scale)


def test_scaled_and_masked_logits_are_rounded_once(exact_online_kernel: fs.Kernel) -> None:
    """As with a fused multiply-add, on instruction sets without one, too."""
    rng = np.random.default_rng(6)
    x = (30 * rng.standard_normal((200, 16))).astype(exact_online_kernel.dtype)
    mask = (-30 * x * rng.random((200, 1)) / 37).astype(x.dtype)
    scale = x.dtype.type(1 / 1.3)
    wide: Any = np.float64 if x.dtype == np.float32 else np.longdouble
    z = (x.astype(wide) * wide(scale) + mask).astype(x.dtype)
    # the product of two doubles has more bits than a long double: one more rounding, rarely seen
    wanted = fs.online(z, isa=exact_online_kernel.isa)
    p = fs.online(x, scale=float(scale), mask=mask, isa=exact_online_kernel.isa)
    assert np.mean(p == wanted) > 0.995


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scales_are_judged_as_they_are_rounded(dtype: str) -> None:
    """By the compiled core and by Python, which sees calls with a mask of another dtype."""
    x = np.array([[0, 1, 2]], dtype=dtype)
    limits = np.finfo(dtype)
    half = np.zeros((1, 3), dtype=np.float16)
    least, most = float(limits.smallest_normal), float(limits.max)
    for scale in (least * (1 - float(limits.eps) / 8), most):
        plain = fs.online(x[:, :1], scale=scale)
        assert np.array_equal(fs.online(x[:, :1], scale=scale, mask=half[:, :1]), plain)
    for scale in (10**400, -(10**400)):
        with pytest.raises(ValueError, match="scale is beyond"):
            fs.online(x, scale=scale)
