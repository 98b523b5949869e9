"""Index arithmetic beyond 2^31 elements, with hardly any memory: views and untouched pages."""

import mmap

import fastsoftmax as fs
import numpy as np
import pytest

FAR = 2**31


def pages(items: int) -> np.ndarray:
    """Zeros that take memory only where they are written."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)
    try:
        held = mmap.mmap(-1, 4 * items, flags=flags)
    except (OSError, ValueError) as refused:
        pytest.skip(f"no address space for {4 * items >> 30} GiB: {refused}")
    return np.frombuffer(held, dtype=np.float32)


def test_rows_times_columns() -> None:
    """More than 2^31 elements in all, in rows that are one row in memory."""
    row = np.random.default_rng(0).normal(size=1 << 16).astype(np.float32)
    rows = np.broadcast_to(row, (FAR // len(row) + 3, len(row)))
    m, s = fs.normalizer(rows)
    assert m.shape == (rows.shape[0],)
    assert (m == row.max()).all()
    assert (s == fs.normalizer(row)[1]).all()


@pytest.mark.parametrize("axis", [0, 1])
def test_far_apart(axis: int) -> None:
    """Rows, and elements of a row, that lie 2^31 elements apart."""
    held = pages(2 * FAR + 64)
    x = np.lib.stride_tricks.as_strided(held, (3, 5), (4 * FAR, 4))
    near = np.random.default_rng(0).normal(size=x.shape).astype(np.float32)
    x[...] = near
    for view, plain in ((x, near), (x[::-1], near[::-1])):
        m, s = fs.normalizer(view, axis=axis)
        assert np.array_equal((m, s), fs.normalizer(plain, axis=axis))
    wanted = fs.online(near, axis=axis)
    fs.online(x, axis=axis, out=x)
    assert np.array_equal(x, wanted)


def test_long_row() -> None:
    """One row of more than 2^31 elements, read where it lies; the last one is the maximum."""
    x = pages(FAR + 5)
    x[-1] = 1
    m, s = fs.normalizer(x)
    assert m == 1
    assert abs(float(s) / ((FAR + 4) * np.exp(-1.0) + 1) - 1) < 5e-7


def test_size_that_memory_cannot_have() -> None:
    """A clear error instead of an overflow in the bytes of the result."""
    with pytest.raises(MemoryError):
        fs.normalizer(np.broadcast_to(np.float32(0), (2**59, 1)))
