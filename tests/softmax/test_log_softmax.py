"""log_softmax: distance from the maximum less the logarithm of the sum of a row's own weights."""

import fastsoftmax as fs
import numpy as np
import pytest
from references import below_max, gaussian, run, weights, wider

SHAPES = [(3, 1), (40, 7), (33, 100), (5, 300), (2, 5001)]


@pytest.mark.parametrize("shape", SHAPES)
def test_against_its_own_weights(log_softmax_kernel: fs.Kernel, shape: tuple[int, ...]) -> None:
    """The bound of `exact`; elsewhere the weights of the row, added up in another order."""
    kernel = log_softmax_kernel
    x = gaussian(kernel, shape, 3.0)
    d = below_max(x)
    h = np.exp(d) if kernel.variant == "exact" else weights(kernel, d).astype(wider(kernel.dtype))
    log_s = np.log(h.sum(axis=-1, keepdims=True))
    wanted = d - log_s
    bound = kernel.bound if kernel.variant == "exact" else 2e-5
    if kernel.variant != "exact" and kernel.form == "exp":
        bound += 2 * kernel.bound  # relative to a power of two, not to the maximum
    roundings = np.finfo(kernel.dtype).eps / 2 * 1.01 * (2 * np.abs(d) + np.abs(log_s))
    y = run(kernel, x)
    assert y.dtype == x.dtype
    assert (np.abs(y - wanted) <= bound + roundings).all()


def test_edges(log_softmax_kernel: fs.Kernel) -> None:
    """-inf stays -inf beside a finite logit; rows without a result are NaN."""
    for n in (1, 2, 17, 70, 400):
        x = gaussian(log_softmax_kernel, (5, n))
        x[0, -1] = -np.inf
        x[1] = -np.inf
        x[2, n // 2] = np.nan
        x[3, n // 2] = np.inf
        y = run(log_softmax_kernel, x)
        assert np.isnan(y[1:4]).all()
        assert np.isfinite(y[4]).all()
        if n > 1:
            assert y[0, -1] == -np.inf
            assert np.isfinite(y[0, :-1]).all()
