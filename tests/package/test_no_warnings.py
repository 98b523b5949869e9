"""No number makes NumPy warn, or raise where the caller has told it to."""

import warnings
from collections.abc import Iterator
from typing import Any

import fastsoftmax as fs
import numpy as np
import pytest

DTYPES = ("float16", "bfloat16", "float32", "float64")


@pytest.fixture(autouse=True)
def strict() -> Iterator[None]:
    """Make an error of every warning and of every floating-point exception."""
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        yield


def typed(dtype: str) -> np.dtype[Any]:
    """Dtype by its name."""
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")  # registers the name
    return np.dtype(dtype)


def pairs_of_edges(dtype: str) -> Any:
    """Rows of every pair of what is at the ends of a dtype, by their bits."""
    size = {"float16": 10, "bfloat16": 7, "float32": 23, "float64": 52}[dtype]
    kind = typed(dtype)
    word = np.dtype(f"u{kind.itemsize}")
    top, one = 8 * kind.itemsize - 1, 1 << size
    sign, infinity = 1 << top, (1 << top) - one
    half = (infinity >> 1) & ~(one - 1)  # about 1
    magnitudes = (0, 1, one - 1, one, half, infinity - 1, infinity - one, infinity)
    nans = (infinity | one >> 1, infinity + 1, infinity + one - 1, sign | infinity + one - 1)
    bits = [m | s for m in magnitudes for s in (0, sign)] + list(nans)
    values = np.array(bits, word).view(kind)
    return np.stack(np.broadcast_arrays(values[:, None], values), -1).reshape(-1, 2)


OPERATIONS: dict[str, Any] = {
    "online": fs.online,
    "log_softmax": fs.log_softmax,
    "normalizer": fs.normalizer,
    "logsumexp": fs.logsumexp,
    "topk": lambda x, **more: fs.topk(x, 1, **more),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_operations(operation: Any, dtype: str) -> None:
    """All pairs at once, along either axis, and row by row: results are scalars then."""
    x = pairs_of_edges(dtype)
    for array in (x, x[::-1], x.T):
        for axis in (0, -1):
            operation(array, axis=axis)
            operation(array, axis=axis, scale=1e30)
    for row in x:
        operation(row)
        operation(row[::-1])
        operation(row, scale=-1e-30)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("other", DTYPES)
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_masks_and_sinks(operation: Any, dtype: str, other: str) -> None:
    """Of any dtype, whatever the logits are."""
    x, added = pairs_of_edges(dtype), pairs_of_edges(other)
    operation(np.broadcast_to(x[:, None], (len(x), len(added), 2)), mask=added)
    if operation is not OPERATIONS["topk"]:
        operation(x, sink=added[: len(x), 0])
        for number in (1e300, -1e300, 5e-324, np.inf, np.nan, np.float64(1e-310)):
            operation(x, sink=number)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_states(dtype: str) -> None:
    """Of a MaxSum, whose arithmetic is NumPy's, and of the recurrence."""
    x = pairs_of_edges(dtype)
    for variant in fs.variants("scan"):
        fs.scan(pairs_of_edges("float32"), variant)
        if variant == "exact":
            fs.scan(x)
    total = fs.MaxSum(len(x), dtype).update(x)
    total = total + total + fs.MaxSum(len(x), dtype)
    assert total == total.merge(fs.MaxSum(len(x), dtype))
    assert total.logsumexp.dtype == dtype
    assert repr(total)
    total.probabilities(x)
    total.probabilities(np.ascontiguousarray(x.T), axis=0, out=np.empty((len(x), 2), dtype).T)
    for row in x:
        one = fs.MaxSum((), dtype).update(row[:1]).update(row[1:])
        one.probabilities(row)
        assert one.logsumexp.dtype == dtype
        assert repr(one + one)


def test_tensors() -> None:
    """The way of other libraries' arrays."""
    torch = pytest.importorskip("torch")
    for dtype in DTYPES:
        kind = getattr(torch, dtype)
        x = torch.tensor([[65504.0, 65504.0], [3e38, 3e38], [1e-40, np.nan]]).to(kind)
        for operation in OPERATIONS.values():
            operation(x)
            operation(x[0])
            operation(x, mask=x)


def test_int8() -> None:
    """Scales at the ends, and of more bits than the table is made from."""
    x = np.arange(-128, 128, dtype=np.int8)
    for scale in (5e-324, 1e-300, 1.0, 1e300, np.longdouble("1e-300"), np.float16(6e-8)):
        for table in fs.variants("int8"):
            fs.int8.softmax(x, scale, table=table)
            fs.int8.softmax(x, scale, table=table, out_dtype=np.int16)
    with pytest.raises(ValueError, match="finite"):
        fs.int8.softmax(x, np.longdouble("1e4000"))
