"""Long columns side by side: taken by blocks down memory, each on its own whatever is beside it."""

import fastsoftmax as fs
import numpy as np
import pytest
from references import Floats, assert_exact, gaussian

LENGTHS = (2047, 2048, 2100, 4999)


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
            part = np.ascontiguousarray(x[:, first : first + count])
            alone = fs.online(part, axis=0, isa=isa, threads=1)
            assert np.array_equal(alone, p[:, first : first + count], equal_nan=True)
    for threads in (2, 3, 7):
        again = fs.online(x, axis=0, isa=isa, threads=threads)
        assert np.array_equal(again, p, equal_nan=True)
