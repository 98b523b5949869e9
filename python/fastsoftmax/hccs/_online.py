"""`online` with parameters of HCCS as its variant."""

from typing import Any

import numpy as np

from fastsoftmax._inputs.checks import check_apart
from fastsoftmax._inputs.libraries import on_device
from fastsoftmax._inputs.mask_scale_sink import checked_scale
from fastsoftmax.hccs._params import Params
from fastsoftmax.hccs._softmax import softmax, softmax_float


def by_params(
    logits: Any,
    params: Params,
    axis: int,
    scale: float,
    mask: Any,
    sink: Any,
    out: Any,
    threads: int | None,
    isa: str | None,
) -> Any:
    """HCCS of int8 or float logits, in the mode of the parameters."""
    if on_device(logits):
        raise TypeError(
            "online takes no hccs.Params on a CUDA device; there hccs.softmax takes int8 logits"
        )
    if sink is not None:
        raise ValueError("sink has no place in HCCS; leave it out, or name another variant")
    if checked_scale(scale, "float64") != 1:
        raise ValueError(
            f"scale is {scale}; with hccs.Params the logits are taken as they are, so scale them "
            "first, as in calibration"
        )
    common: dict[str, Any] = {"mode": params.mode, "mask": mask, "axis": axis}
    common |= {"threads": threads, "isa": isa}
    if isinstance(logits, np.ndarray) and logits.dtype == np.int8:
        dtype = out.dtype if isinstance(out, np.ndarray) else None
        return softmax(logits, params, out_dtype=dtype, out=out, **common)
    if out is not None:
        _check_out(out, logits)
    result = softmax_float(logits, params, **common)
    if out is None:
        return result
    out[...] = result
    return out


def _check_out(out: object, logits: Any) -> None:
    """Refuse what can't take the result, before anything is computed."""
    if not isinstance(out, np.ndarray) or not isinstance(logits, np.ndarray):
        raise TypeError(f"out must be a NumPy array, like the logits, not {type(out).__name__}")
    if out.dtype != logits.dtype:
        raise TypeError(f"out is {out.dtype}, but the result has the dtype of x, {logits.dtype}")
    if out.shape != logits.shape:
        raise ValueError(f"out has shape {out.shape}, but x has {logits.shape}")
    if not out.flags.writeable:
        raise ValueError("out is read-only; pass an array that may be written")
    check_apart(np.asarray(out))
