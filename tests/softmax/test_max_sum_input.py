"""What `MaxSum` refuses, in words, and that its state stays as it was."""

import copy
from typing import Any

import fastsoftmax as fs
import numpy as np
import pytest

MAX_SUM: Any = fs.MaxSum  # any argument may be wrong below, so no type checker should look
STATE: Any = fs.MaxSum(2).update(np.ones((2, 3), np.float32))
GOOD = np.zeros((2, 3), np.float32)
BAD_STATE: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "float16": ({"dtype": np.float16}, TypeError, "float32 or float64, not float16"),
    "integer": ({"dtype": int}, TypeError, "float32 or float64, not int"),
    "swapped": ({"dtype": np.dtype("f4").newbyteorder()}, TypeError, "float32 or float64, not"),
    "None": ({"dtype": None}, TypeError, "float32 or float64, not None"),
    "array": ({"shape": GOOD}, TypeError, "shape must be an integer or a tuple"),
    "float": ({"shape": 2.0}, TypeError, r"shape must be an integer or a tuple.*2\.0"),
    "no shape": ({"shape": None}, TypeError, "shape must be an integer or a tuple.*None"),
    "negative": ({"shape": (2, -1)}, ValueError, "negative length"),
    "name": ({"variant": 3}, TypeError, "variant must be a string"),
}
BAD_CHUNK: dict[str, tuple[Any, dict[str, Any], type[Exception], str]] = {
    "float64": (GOOD.astype(float), {}, TypeError, r"chunk is float64, the state float32; .*"),
    "float16": (GOOD.astype("f2"), {}, TypeError, "chunk must be float32 or float64, not float16"),
    "list": ([[0.0]], {}, TypeError, "chunk must be a NumPy array, not list"),
    "masked": (np.ma.masked_array(GOOD), {}, TypeError, "chunk is a MaskedArray"),
    "0-d": (np.float32(1), {}, ValueError, "chunk is a scalar"),
    "rows": (np.zeros((3, 2), "f4"), {}, ValueError, r"\(3, 2\).*\(3,\) without axis -1.*\(2,\)"),
    "flat": (np.zeros(2, "f4"), {}, ValueError, r"\(2,\).*\(\) without axis -1.*\(2,\)"),
    "deep": (np.zeros((1, 2, 3), "f4"), {}, ValueError, r"\(1, 2\) without axis -1"),
    "axis": (GOOD, {"axis": 2}, ValueError, "axis 2 is out of range"),
    "other axis": (GOOD, {"axis": 0}, ValueError, r"\(3,\) without axis 0"),
    "no axis": (GOOD, {"axis": None}, TypeError, "axis must be an integer"),
}
BAD_OUT: dict[str, tuple[Any, type[Exception], str]] = {
    "shape": (np.zeros((3, 2), "f4"), ValueError, r"out has shape \(3, 2\)"),
    "dtype": (np.zeros((2, 3)), TypeError, "out has dtype"),
    "read-only": (np.broadcast_to(np.float32(0), (2, 3)), ValueError, "read-only"),
    "list": ([[0.0] * 3] * 2, TypeError, "out must be an array like logits, not list"),
}


@pytest.mark.parametrize(("options", "error", "words"), BAD_STATE.values(), ids=BAD_STATE)
def test_bad_state(options: dict[str, Any], error: type[Exception], words: str) -> None:
    """Refused in words."""
    with pytest.raises(error, match=words):
        MAX_SUM(**options)


def test_surrogates_are_refused() -> None:
    """Their sum would depend on how the row is split; so would an unknown variant's."""
    for variant in {*fs.variants(), "nonsense"} - {"exact"}:
        with pytest.raises(ValueError, match=f"'exact' alone, not '{variant}'.*split"):
            fs.MaxSum(variant=variant)
    assert fs.MaxSum(variant="exact") == fs.MaxSum()


@pytest.mark.parametrize("method", ["update", "probabilities"])
@pytest.mark.parametrize(("chunk", "options", "error", "words"), BAD_CHUNK.values(), ids=BAD_CHUNK)
def test_bad_chunk(
    method: str, chunk: Any, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    """Refused in words, and the state stays as it was."""
    before = copy.copy(STATE)
    with pytest.raises(error, match=words):
        getattr(STATE, method)(chunk, **options)
    assert before == STATE


@pytest.mark.parametrize(("out", "error", "words"), BAD_OUT.values(), ids=BAD_OUT)
def test_bad_out(out: Any, error: type[Exception], words: str) -> None:
    """Nothing is written."""
    before = np.array(out)
    with pytest.raises(error, match=words):
        STATE.probabilities(GOOD, out=out)
    assert np.array_equal(before, out)


def test_bad_merge() -> None:
    """Only states of the same dtype and shape merge."""
    before = copy.copy(STATE)
    for other, error, words in (
        (fs.MaxSum(2, np.float64), TypeError, "a state of float64 can't be merged into.*float32"),
        (fs.MaxSum(), ValueError, r"a state of shape \(\) can't be merged into.*\(2,\)"),
        (GOOD, TypeError, "other must be a MaxSum, not ndarray"),
    ):
        with pytest.raises(error, match=words):
            STATE.merge(other)
    for thing in (1, None, (0.0, 1.0)):
        with pytest.raises(TypeError, match="unsupported operand"):
            STATE + thing
    assert before == STATE
