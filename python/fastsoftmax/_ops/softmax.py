"""Softmax and its logarithm.

Each operation tries the compiled core at once. The core returns False for what isn't the plain
case; _inputs/slow_path.py then words the error, or prepares the arguments and calls it again.
"""

from typing import TYPE_CHECKING, Any

from fastsoftmax import _core
from fastsoftmax._inputs.libraries import on_device
from fastsoftmax._inputs.slow_path import mapped

if TYPE_CHECKING:
    from fastsoftmax.hccs._params import Params


def online(
    logits: Any,
    variant: "str | Params" = "exact",
    *,
    axis: int = -1,
    scale: float = 1.0,
    mask: Any = None,
    sink: Any = None,
    out: Any = None,
    threads: int | None = None,
    stream: Any = None,
    isa: str | None = None,
) -> Any:
    """Softmax over one axis: ``h(z - max) / sum(h(z - max))`` with ``z = scale * logits + mask``.

    h is exp, or a surrogate of it.

    Parameters
    ----------
    logits : array of float16, bfloat16, float32 or float64, at least one dimension, any strides
        Scores in nats. A NumPy array (bfloat16: that of ml_dtypes), a torch tensor on the CPU that
        doesn't require grad, a JAX array, or any CPU array with DLPack and the array API; none of
        them is copied. Or, where CUDA was built, a torch tensor or CuPy array on a CUDA device:
        then masks, sinks and `out` must be there, too. Half types are computed in float32.
    variant : str or hccs.Params
        One of ``variants()``. float64 knows ``"exact"`` only. With parameters of HCCS: NumPy arrays
        of float32 or float64 go to `hccs.softmax_float`, of int8 to `hccs.softmax`, in the mode
        of the parameters; scale and sink have no place there.
    axis : int
        The axis along which the result sums to one.
    scale : float
        Factor of the logits, rounded to the dtype computed in; in attention ``1 / sqrt(head
        size)``. Finite there, and 0 or a normal number.
    mask : array of bool or float, optional
        Must broadcast to the shape of `logits`, and is never expanded. bool: True = keep. float:
        added to the scaled logits; half of the lowest number of the mask's own dtype, and less,
        means masked out (of the dtype computed in, where the mask's is wider). A position that is
        masked out takes no part, whatever its logit, and gets exactly 0; a row without an unmasked
        position is all 0.
    sink : float or array of float, optional
        One more logit for each row, neither scaled nor masked, that takes its share of the sum and
        gets no result. Must broadcast to the shape of `logits` without `axis`: for one value a
        head of ``[batch, heads, queries, keys]`` pass ``sink[:, None]``.
    out : array, optional
        Where to write the result: same kind, shape and dtype as `logits`, which it may be. If it
        overlaps `logits` in another way, or a mask or sink, the result is copied there in the end.
        Its elements must not share memory. To autograd a tensor has been changed in place;
        through memory that it shares with another array (``tensor.numpy()``, DLPack) torch can't
        see that.
    threads : int, optional
        At most so many threads, from 1 up. By default FASTSOFTMAX_NUM_THREADS, or else
        OMP_NUM_THREADS (both read at import), or else as many as the affinity mask, read for each
        call, and the cgroup leave; never more than a limit of threadpoolctl
        (``fastsoftmax.threadpool``). Rows are split over them where each gets some 20 us of work;
        the bits of the result don't depend on it.
    stream : stream of torch or CuPy, or int, optional
        For logits on a CUDA device: where the kernel goes, by default the current stream of their
        library. An int is the handle, as in DLPack.
    isa : str, optional
        Instruction set, one of ``isas()``; for tests and measurements.

    Returns
    -------
    array
        Probabilities, of the kind, shape and dtype of `logits`; `out` if given.

    Raises
    ------
    TypeError
        For lists, masked arrays, tensors that require grad or lie elsewhere than on the CPU or a
        CUDA device, other dtypes, masks of integers.
    ValueError
        For an unknown variant or `isa`, an axis out of range, a mask or sink that can't be
        broadcast, a scale that isn't finite or is no normal number, or an `out` that doesn't fit or
        whose elements share memory. Nothing is written then.
    RuntimeError
        For arrays on a CUDA device where CUDA wasn't built, nothing can run it, or it fails.

    Notes
    -----
    Error of ``"exact"`` against float64: float32 relative 5e-7 where z - max > -20 and absolute
    3e-7 anywhere, at every length; float64 relative 4e-15; float16 and bfloat16 one more rounding,
    to nearest. z itself is rounded once to float32 (float64). For the others ``kernels()`` gives
    the bound of the weight; if ``|h(d)/exp(d) - 1| <= eps`` over a row, the total variation is at
    most ``eps / (1 - eps)`` and the Kullback-Leibler divergence at most ``log((1 + eps) / (1 -
    eps))``.

    Edges: -inf gets exactly 0, and so does what lies 87.34 (float64: 708.4) or more below the
    maximum, where exp is no normal number; from 87.25 (708) on that may be so already. Below a
    surrogate's domain it is 0, too. A row of -inf only, or with NaN or +inf, is all NaN.
    An empty axis gives an empty result.

    Along an axis that isn't the last, or over rows with gaps, sums are added in another order than
    along contiguous rows: the last bits may differ.

    A call runs to its end: Ctrl-C raises KeyboardInterrupt after it. Scratch memory, fork and the
    end of the interpreter: docs/performance.md, Threads.

    References
    ----------
    Milakov and Gimelshein, "Online normalizer calculation for softmax", arXiv 1805.02867.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[1, 2, 3], [0, 0, -np.inf]], dtype=np.float32)
    >>> np.round(online(x), 4).tolist() == np.round(online(x, "quad64"), 4).tolist()
    True
    >>> online(x)[1].tolist()
    [0.5, 0.5, 0.0]
    >>> online(x, mask=np.array([True, False, False])).tolist()
    [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    """
    if stream is None:
        result = _core.online(logits, variant, axis, scale, mask, sink, out, threads, isa, False)
        if result is not False:
            return result
    if not isinstance(variant, str):
        from fastsoftmax.hccs._online import by_params
        from fastsoftmax.hccs._params import Params

        if isinstance(variant, Params):
            return by_params(logits, variant, axis, scale, mask, sink, out, threads, isa)
    if on_device(logits, stream):
        from fastsoftmax._device import rows

        return rows.mapped(
            "online", logits, variant, axis, scale, mask, sink, out, threads, stream, isa
        )
    return mapped(_core.online, logits, variant, axis, scale, mask, sink, out, threads, isa)


softmax = online


def log_softmax(
    logits: Any,
    variant: str = "exact",
    *,
    axis: int = -1,
    scale: float = 1.0,
    mask: Any = None,
    sink: Any = None,
    out: Any = None,
    threads: int | None = None,
    stream: Any = None,
    isa: str | None = None,
) -> Any:
    """Logarithm of softmax over one axis: ``(z - max) - log(s)`` with ``s = sum(h(z - max))``.

    The exponential of the numerator cancels with the logarithm, so a surrogate shows in s only, and
    nothing underflows.

    Parameters
    ----------
    logits, variant, axis, scale, mask, sink, out, threads, stream, isa
        As in `online`.

    Returns
    -------
    array
        Log probabilities in nats, of the kind, shape and dtype of `logits`; `out` if given. -inf
        for what is -inf or masked out.

    Raises
    ------
    TypeError, ValueError
        As in `online`.

    Notes
    -----
    Error of ``"exact"``: absolute 5e-7 (float32) or 4e-15 (float64), and the roundings of z - max
    and of the result, half a unit in the last place each. Rows without a result are NaN as in
    `online`; a row without an unmasked position is all -inf.

    Examples
    --------
    >>> import numpy as np
    >>> log_softmax(np.array([0.0, 0.0, -np.inf])).round(4).tolist()
    [-0.6931, -0.6931, -inf]
    """
    if stream is None:
        result = _core.log_softmax(
            logits, variant, axis, scale, mask, sink, out, threads, isa, False
        )
        if result is not False:
            return result
    if on_device(logits, stream):
        from fastsoftmax._device import rows

        return rows.mapped(
            "log_softmax", logits, variant, axis, scale, mask, sink, out, threads, stream, isa
        )
    return mapped(_core.log_softmax, logits, variant, axis, scale, mask, sink, out, threads, isa)
