"""Arrays of any layout give what the plain one gives, up to the order in which sums are added."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fastsoftmax as fs
import numpy as np
import pytest
from references import Floats, agree, gaussian, misaligned, packed

Layout = Callable[[Floats], Floats]
SHAPE = (3, 4, 5, 6)


def reversed_all(x: Floats) -> Floats:
    """Lay the same values out through negative strides."""
    flipped = np.ascontiguousarray(np.flip(x))
    return np.flip(flipped)


def spaced(x: Floats) -> Floats:
    """Lay the same values out as every other element of a larger array."""
    larger = np.full([2 * n for n in x.shape], np.nan, dtype=x.dtype)
    view = larger[(slice(None, None, 2),) * x.ndim]
    view[...] = x
    return view


LAYOUTS: list[Layout] = [
    np.asfortranarray, reversed_all, spaced, misaligned, packed
]  # fmt: skip


@pytest.fixture(params=LAYOUTS, ids=lambda layout: layout.__name__)
def layout(request: pytest.FixtureRequest) -> Layout:
    """Each way to lay an array out in memory."""
    chosen: Layout = request.param
    return chosen


@pytest.mark.parametrize("axis", range(-len(SHAPE), len(SHAPE)))
def test_every_axis(exact_online_kernel: fs.Kernel, axis: int) -> None:
    """Any axis is the last one of the array with its axes moved."""
    x = gaussian(exact_online_kernel, SHAPE)
    moved = np.ascontiguousarray(np.moveaxis(x, axis, -1))
    isa = exact_online_kernel.isa
    assert agree(np.moveaxis(fs.online(x, axis=axis, isa=isa), axis, -1), fs.online(moved, isa=isa))
    for reduce in (fs.normalizer, fs.logsumexp):
        logs = reduce is fs.logsumexp
        assert agree(reduce(x, axis=axis, isa=isa), reduce(moved, isa=isa), logs)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_transposes(exact_online_kernel: fs.Kernel, order: tuple[int, ...]) -> None:
    """Memory order of the axes doesn't matter, for input and output alike."""
    x = gaussian(exact_online_kernel, (4, 5, 70))
    back = np.argsort(order)
    turned = np.ascontiguousarray(x.transpose(order)).transpose(back)
    out = np.empty(turned.transpose(order).shape, dtype=x.dtype).transpose(back)
    for axis in range(3):
        wanted = fs.online(x, axis=axis, isa=exact_online_kernel.isa)
        assert fs.online(turned, axis=axis, out=out, isa=exact_online_kernel.isa) is out
        assert agree(out, wanted)


def test_layout_of_input(exact_online_kernel: fs.Kernel, layout: Layout) -> None:
    """The result is what a contiguous input gives; the input stays as it was."""
    x = gaussian(exact_online_kernel, SHAPE)
    for axis in range(x.ndim):
        options: dict[str, Any] = {"axis": axis, "isa": exact_online_kernel.isa}
        held = layout(x)
        assert np.array_equal(held, x)
        assert agree(fs.online(held, **options), fs.online(x, **options))
        assert np.array_equal(held, x)
        for reduce in (fs.normalizer, fs.logsumexp):
            logs = reduce is fs.logsumexp
            assert agree(reduce(held, **options), reduce(x, **options), logs)


def test_layout_of_scan_input(scan_kernel: fs.Kernel, layout: Layout) -> None:
    """The recurrence reads any layout, too."""
    x = gaussian(scan_kernel, (4, 9))
    options: dict[str, Any] = {"axis": 0, "isa": scan_kernel.isa}
    wanted = fs.scan(x, scan_kernel.variant, **options)
    assert np.array_equal(fs.scan(layout(x), scan_kernel.variant, **options), wanted)


def test_layout_of_output(exact_online_kernel: fs.Kernel, layout: Layout) -> None:
    """`out` is written where it lies, is what comes back, and nothing beside it is touched."""
    x = gaussian(exact_online_kernel, SHAPE)
    for axis in range(x.ndim):
        options: dict[str, Any] = {"axis": axis, "isa": exact_online_kernel.isa}
        out = layout(np.zeros_like(x))
        assert fs.online(x, out=out, **options) is out
        assert agree(out, fs.online(x, **options))
        if layout is spaced:
            whole: Any = out.base
            assert np.count_nonzero(np.isnan(whole)) == whole.size - out.size


def test_in_place(exact_online_kernel: fs.Kernel, layout: Layout) -> None:
    """`out` may be the input, in any layout."""
    for shape in (SHAPE, (3, 4097)):
        x = gaussian(exact_online_kernel, shape)
        wanted = fs.online(x, axis=1, isa=exact_online_kernel.isa)
        held = layout(x)
        assert fs.online(held, axis=1, out=held, isa=exact_online_kernel.isa) is held
        assert agree(held, wanted)


def overlapping(n: int) -> Iterator[tuple[str, slice, slice]]:
    """Give views of n elements that overlap without being the same: name, input, output."""
    for by in (1, 3, n // 2, n - 1):
        yield f"output {by} behind", slice(0, n), slice(by, n + by)
        yield f"output {by} before", slice(by, n + by), slice(0, n)
    yield "reversed", slice(0, n), slice(n - 1, None, -1)
    yield "interleaved", slice(0, 2 * n, 2), slice(1, 2 * n + 1, 2)
    yield "shared spacing", slice(0, 2 * n, 2), slice(0, n)


@pytest.mark.parametrize("n", [4, 67, 5000])
def test_overlap(exact_online_kernel: fs.Kernel, n: int) -> None:
    """An `out` that overlaps the input gets what an array apart would get."""
    for name, read, write in overlapping(n):
        base = gaussian(exact_online_kernel, 2 * n + 1)
        wanted = base.copy()
        wanted[write] = fs.online(base[read].copy(), isa=exact_online_kernel.isa)
        out = base[write]
        assert fs.online(base[read], out=out, isa=exact_online_kernel.isa) is out
        assert np.array_equal(base, wanted), name


def test_overlap_of_a_transpose(exact_online_kernel: fs.Kernel) -> None:
    """The same memory with axes swapped."""
    base = gaussian(exact_online_kernel, (40, 40))
    wanted = fs.online(base.T.copy(), isa=exact_online_kernel.isa)
    fs.online(base.T, out=base, isa=exact_online_kernel.isa)
    assert agree(base, wanted)


def test_zero_strides(exact_online_kernel: fs.Kernel) -> None:
    """Broadcast input: rows that are one row in memory, and elements that are one."""
    row = gaussian(exact_online_kernel, 33)
    isa = exact_online_kernel.isa
    rows = np.broadcast_to(row, (5, 33))
    assert agree(fs.online(rows, isa=isa), np.tile(fs.online(row, isa=isa), (5, 1)))
    elements = np.broadcast_to(row[:, None], (33, 100))
    assert agree(fs.online(elements, isa=isa), fs.online(elements.copy(), isa=isa))
    assert agree(fs.normalizer(elements, isa=isa), fs.normalizer(elements.copy(), isa=isa))


def test_memmap(tmp_path: Path) -> None:
    """A file is an array like another; the result goes into it and `out` comes back."""
    held = np.memmap(tmp_path / "logits", dtype=np.float32, mode="w+", shape=(4, 100))
    held[...] = np.random.default_rng(0).normal(size=held.shape)
    wanted = fs.online(np.array(held))
    result = fs.online(held)
    assert type(result) is np.ndarray
    assert np.array_equal(result, wanted)
    assert fs.online(held, out=held) is held
    assert np.array_equal(np.fromfile(tmp_path / "logits", dtype=np.float32), wanted.ravel())
