"""Softmax in a precision above that under test, and how far from it a kernel may be."""

from typing import Any

import fastsoftmax as fs
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]

#: What the exact variant claims: relative where x - max > -20, absolute anywhere; float64.
RELATIVE, ABSOLUTE, DOUBLE_RELATIVE = 5e-7, 3e-7, 4e-15
LONG_IS_LONGER = np.finfo(np.longdouble).eps < 2e-19


def wider(dtype: str) -> type[np.floating[Any]]:
    """Float type in which results of `dtype` are judged."""
    return np.float64 if dtype == "float32" else np.longdouble


def probabilities(x: Floats) -> Floats:
    """Softmax over the last axis of finite logits, in the wider type."""
    w = np.exp(below_max(x))
    return np.asarray(w / w.sum(axis=-1, keepdims=True))


def below_max(x: Floats) -> Floats:
    """Distance d = x - max of each logit, in the wider type."""
    wide = x.astype(wider(x.dtype.name))
    return np.asarray(wide - wide.max(axis=-1, keepdims=True))


def assert_exact(p: Floats, x: Floats, reference: Floats | None = None) -> None:
    """Hold probabilities of finite logits to the bounds of the exact variant."""
    wanted = probabilities(x) if reference is None else reference
    error = np.abs(p.astype(wanted.dtype) - wanted)
    d = below_max(x)
    if p.dtype == np.float32:
        assert float(error.max(initial=0)) <= ABSOLUTE
        near, bound = d > -20, RELATIVE
    else:
        near, bound = d > -700, DOUBLE_RELATIVE
    worst = float(np.max(error[near] / wanted[near], initial=0))
    assert worst <= bound, f"relative error {worst:.3g}, bound {bound:.3g}"


def rounding(kernel: fs.Kernel) -> float:
    """Relative rounding error of a probability or sum, given the weights of the table.

    Sum, division and product round; besides, the form h(u) folds m + domain into one float32,
    which moves u by half a spacing, and log h has a slope of at most 1.2 there.
    """
    if kernel.dtype == "float64":
        return 2e-15
    fold = 0.0
    if kernel.form == "h(u)":
        fold = 1.2 * float(np.spacing(np.float32(64 - kernel.domain)))
    return 3e-7 + fold


def is_plain(kernel: fs.Kernel) -> bool:
    """Whether a row runs without vectors and fused products, as NumPy counts: the last ISA."""
    return kernel.isa == fs.isas(all=True)[-1]


def weights(kernel: fs.Kernel, d: Floats) -> Floats:
    """h(d) of a row's variant on its ISA."""
    d = np.asarray(d, dtype=kernel.dtype)
    out = np.empty(d.size, dtype=kernel.dtype)
    fs._core.weight(kernel.variant, kernel.isa, np.ascontiguousarray(d.ravel()), out)
    return out.reshape(d.shape)


def run(kernel: fs.Kernel, x: Floats, **options: Any) -> Any:
    """Call the public operation of a row with its variant and ISA."""
    return getattr(fs, kernel.op)(x, kernel.variant, isa=kernel.isa, **options)


def gaussian(kernel: fs.Kernel, shape: Any, sigma: float = 1.0, seed: int = 0) -> Floats:
    """Logits of N(0, sigma^2) in the dtype of a row."""
    drawn = sigma * np.random.default_rng([seed, np.prod(shape, dtype=int)]).standard_normal(shape)
    return np.asarray(drawn.astype(kernel.dtype))


def agree(a: Any, b: Any, logs: bool = False) -> bool:
    """Whether two results of `exact` differ by no more than what each may be off by.

    The relative error of a sum is an absolute one of its logarithm, which may be near 0; to m + log
    s only the rounding of the result is added.
    """
    a, b = np.asarray(a), np.asarray(b)
    bound = 1e-6 if a.dtype == np.float32 else 8e-15
    relative, absolute = (np.finfo(a.dtype).eps, bound) if logs else (bound, 0.0)
    return a.dtype == b.dtype and np.allclose(a, b, rtol=relative, atol=absolute, equal_nan=True)


def misaligned(x: Floats) -> Floats:
    """Lay the same values out at an odd address."""
    room = np.frombuffer(bytearray(x.nbytes + 1), dtype=x.dtype, offset=1, count=x.size)
    assert x.itemsize == 1 or not room.flags.aligned
    room[...] = x.ravel()
    return room.reshape(x.shape)


def packed(x: Floats) -> Floats:
    """Lay the same values out as a field of packed records: strides are no multiple of the item."""
    records = np.zeros(x.shape, dtype=[("before", "i1"), ("value", x.dtype)])
    records["value"] = x
    return records["value"]
