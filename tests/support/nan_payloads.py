"""NaN of every sign, payload and kind, and rows that have one."""

from typing import Any

import numpy as np
from references import Floats


def nans(dtype: Any, count: int, seed: int = 0) -> Floats:
    """Give `count` NaN: quiet and signalling, of both signs, payloads of few and of many bits."""
    kind = np.dtype(dtype)
    mantissa = {"float64": 52, "float32": 23, "float16": 10, "bfloat16": 7}[kind.name]
    word = np.dtype(f"u{kind.itemsize}")
    rng = np.random.default_rng(seed)
    payload = rng.integers(1, 1 << mantissa, count) >> rng.integers(0, mantissa, count)
    bits = (1 << (8 * kind.itemsize - 1)) - (1 << mantissa) | np.maximum(payload, 1)
    quiet = rng.integers(0, 2, count) << (mantissa - 1)
    sign = rng.integers(0, 2, count).astype(np.uint64) << np.uint64(8 * kind.itemsize - 1)
    return np.asarray(((bits | quiet).astype(np.uint64) | sign).astype(word).view(kind))


def is_nan(x: Floats) -> Floats:
    """As np.isnan, but that ml_dtypes warns of signalling NaN."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.isnan(x))


def spoilt(x: Floats, seed: int) -> Floats:
    """Put one NaN in each row but every fourth, which stay what they are."""
    x = x.copy()
    bad = np.arange(len(x)) % 4 != 3
    place = np.random.default_rng(seed).integers(0, x.shape[1], len(x))
    words = x.view(f"u{x.itemsize}")  # an assignment of floats might quieten what signals
    words[bad, place[bad]] = nans(x.dtype, len(x), seed)[bad].view(words.dtype)
    return x
