"""Long columns side by side: taken by blocks down memory, each on its own whatever is beside it."""

import fastsoftmax as fs
import numpy as np
import pytest
from references import Floats, assert_exact, gaussian

LENGTHS = (16, 23, 129, 2047, 2048, 4999)


def columns(kernel: fs.Kernel, n: int, count: int) -> Floats:
    """Columns whose maximum rises, falls, comes late, is far from 0 early or late."""
    x = gaussian(kernel, (n, count), 3.0)
    down = np.linspace(0, 60, n, dtype=x.dtype)
    x[:, 0::7] += down[:, None]
    x[:, 1::7] -= down[:, None]
    x[: n // 2, 2::7] = -np.inf
    x[: n // 2, 3::7] -= 30000
    x[n // 2 :, 4::7] += 30000
    x[n // 3, 5::7] = 100
    return x


@pytest.mark.parametrize("n", LENGTHS)
def test_exact(exact_online_kernel: fs.Kernel, n: int) -> None:
    """The bound of `exact` holds, and nothing is written beside the columns."""
    x = columns(exact_online_kernel, n, 150)
    room = np.full((n, 152), 7, dtype=x.dtype)
    out = room[:, 1:-1]
    fs.online(x, axis=0, out=out, isa=exact_online_kernel.isa)
    finite = np.where(np.isinf(x), np.finfo(x.dtype).min / 4, x)
    assert_exact(np.ascontiguousarray(out.T), np.ascontiguousarray(finite.T))
    assert (room[:, [0, -1]] == 7).all()


@pytest.mark.parametrize("n", LENGTHS)
def test_no_column_depends_on_its_neighbours(exact_online_kernel: fs.Kernel, n: int) -> None:
    """Same bits for a column in any company, on any number of threads."""
    x = columns(exact_online_kernel, n, 150)
    x[n // 2, 20] = np.nan
    x[n - 1, 21] = np.inf
    x[:, 22] = -np.inf
    x[:, 23] = np.finfo(x.dtype).min
    isa = exact_online_kernel.isa
    p = fs.online(x, axis=0, isa=isa, threads=1)
    assert np.isnan(p[:, [20, 21, 22]]).all()
    assert np.allclose(p[:, 23], 1 / n, rtol=1e-6)
    for count in (2, 5, 9, 16, 40):  # one alone is a row
        for first in (0, 3, 18):
            part = x[:, first : first + count]  # with gaps
            alone = fs.online(part, axis=0, isa=isa, threads=1)
            assert np.array_equal(alone, p[:, first : first + count], equal_nan=True)
    for threads in (2, 3, 7):
        again = fs.online(x, axis=0, isa=isa, threads=threads)
        assert np.array_equal(again, p, equal_nan=True)


@pytest.mark.parametrize("count", [2, 3, 8, 17, 31, 32])
@pytest.mark.parametrize("n", [64, 300, 1001, 5000])
def test_few_columns_without_gaps(exact_online_kernel: fs.Kernel, n: int, count: int) -> None:
    """Several rows lie side by side in a vector; bad columns stay alone, threads change no bits."""
    isa = exact_online_kernel.isa
    x = columns(exact_online_kernel, n, 3 * count).reshape(n, 3, count).swapaxes(0, 1)
    x = np.ascontiguousarray(x)
    finite = np.where(np.isinf(x), np.finfo(x.dtype).min / 4, x)
    p = fs.online(x, axis=1, isa=isa, threads=1)
    assert_exact(*(np.ascontiguousarray(a.swapaxes(1, 2)) for a in (p, finite)))
    for threads in (2, 5):
        assert np.array_equal(fs.online(x, axis=1, isa=isa, threads=threads), p)
    spoiled = x.copy()
    spoiled[0, n - 1, 0] = np.nan
    spoiled[1, 1, 1] = np.inf
    spoiled[2, :, count - 1] = -np.inf
    q = fs.online(spoiled, axis=1, isa=isa)
    bad = np.zeros((3, count), dtype=bool)
    bad[0, 0] = bad[1, 1] = bad[2, count - 1] = True
    assert (np.isnan(q) == bad[:, None, :]).all()
    kept = np.broadcast_to(~bad[:, None, :], x.shape)
    assert np.array_equal(q[kept], p[kept])
