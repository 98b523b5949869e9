"""Batches too large for the cache go out by other stores: same bits as each row by itself."""

import fastsoftmax as fs
import numpy as np
import pytest

BYTES = 26 << 20  # a little more than what makes a batch large


@pytest.mark.parametrize("columns", [2048, 2049, 5003, 16384])
@pytest.mark.parametrize("offset", [0, 1, 13])
def test_large_batches_have_the_bits_of_single_rows(columns: int, offset: int) -> None:
    """Every length and alignment, with rows of NaN, of -inf and of large logits among them."""
    rows = BYTES // 4 // columns
    rng = np.random.default_rng(columns + offset)
    x = rng.standard_normal((rows, columns), dtype=np.float32) * 4
    x[1, 3] = np.nan
    x[2] = -np.inf
    x[3] += 1e6
    x[5, ::2] = -np.inf
    guard = np.full(rows * columns + 64, 7.0, dtype=np.float32)
    out = guard[offset : offset + rows * columns].reshape(rows, columns)
    for isa in fs.isas("online"):
        fs.online(x, out=out, isa=isa)
        for r in (*range(8), rows // 2, rows - 2, rows - 1):
            alone = fs.online(x[r : r + 1], isa=isa)
            np.testing.assert_array_equal(out[r : r + 1], alone, err_msg=f"{isa}, row {r}")
        assert np.isnan(out[1]).all()
        assert np.isnan(out[2]).all()
        sums = out.sum(axis=1, dtype=np.float64)
        np.testing.assert_allclose(np.delete(sums, [1, 2]), 1, rtol=1e-6)
        assert (guard[:offset] == 7).all()
        assert (guard[offset + rows * columns :] == 7).all()
        guard.fill(7)


def test_large_batches_in_place_have_the_same_bits() -> None:
    """In place the plain passes run; the result is the same."""
    x = np.random.default_rng(0).standard_normal((BYTES // 4 // 4096, 4096), dtype=np.float32)
    for isa in fs.isas("online"):
        expected = fs.online(x, isa=isa)
        inside = x.copy()
        fs.online(inside, out=inside, isa=isa)
        np.testing.assert_array_equal(inside, expected, err_msg=isa)
