"""Other people's softmax of int8 logits, each tied to its arrays as in models.py.

Logits are int8 of `SCALE` nats a step, results 8 bits, in whatever units a library has for
probabilities; `result` gives them as floats. A library without an int8 softmax gets the chain that
its users write: to float, softmax, to 8 bits, fused as far as the library does that.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import fastsoftmax as fs
import numpy as np
from lib.data_sets import Shape
from numpy.typing import NDArray

from peers import registry
from peers.models import (
    ONNX_OPSET,
    onnx_model,
    run_litert,
    run_onnx,
    run_vino,
    tflite_model,
    tflite_schema,
    vino,
)
from peers.prepared_call import Bound, keeping, library

Int8 = NDArray[np.int8]
Bytes = NDArray[np.uint8]

#: Nats a step; the weights of a table of bytes reach 57 steps.
SCALE = 0.11
#: A result further off than this is not a softmax in 8 bits.
CREDIBLE = 2 / 255


def _signed(result: Any) -> Any:
    """Probabilities from units of 1/256 above -128, the convention of int8 models."""
    return (result.view(np.int8).astype(np.float32) + 128) / 256


def _unsigned(result: Any) -> Any:
    """Probabilities from units of 1/255."""
    return result.astype(np.float32) / 255


def litert(x: Int8, out: Bytes, threads: int) -> Bound:
    """Tie LiteRT's own int8 kernel, int8 to int8 in units of 1/256 from -128."""
    schema = tflite_schema()
    tensors = [
        schema.TensorT(
            shape=list(x.shape),
            type=schema.TensorType.INT8,
            buffer=0,
            name=name,
            quantization=schema.QuantizationParametersT(scale=[scale], zeroPoint=[zero]),
        )
        for name, scale, zero in (("x", SCALE, 0), ("y", 1 / 256, -128))
    ]
    run, result = run_litert(tflite_model(tensors, version=2), x, threads)
    return Bound(run, lambda: _signed(result()))


def onnxruntime(x: Int8, out: Bytes, threads: int) -> Bound:
    """Tie ONNX Runtime's QLinearSoftmax."""
    onnx = library("onnx")
    types, helper, domain = onnx.TensorProto, onnx.helper, "com.microsoft"
    scales_and_zeros = (
        ("x_scale", types.FLOAT, SCALE),
        ("x_zero", types.INT8, 0),
        ("y_scale", types.FLOAT, 1 / 256),
        ("y_zero", types.INT8, -128),
    )
    names = ["x", *(name for name, _, _ in scales_and_zeros)]
    node = helper.make_node(
        "QLinearSoftmax", names, ["y"], domain=domain, axis=-1, opset=ONNX_OPSET
    )
    constants = tuple(
        helper.make_tensor(name, kind, [], [value]) for name, kind, value in scales_and_zeros
    )
    model = onnx_model(x.shape, "INT8", node, constants, domain)
    run = run_onnx(model, x, out.view(np.int8), threads)
    return Bound(run, lambda: _signed(out))


def openvino(x: Int8, out: Bytes, threads: int) -> Bound:
    """Tie OpenVINO's chain: scale, softmax, to 8 bits."""
    library_itself, op = vino()
    types = library_itself.Type
    logits = op.parameter(list(x.shape), types.i8)
    scaled = op.multiply(op.convert(logits, types.f32), op.constant(np.float32(SCALE)))
    weights = op.multiply(op.softmax(scaled, x.ndim - 1), op.constant(np.float32(255)))
    rounded = op.convert(op.round(weights, "half_to_even"), types.u8)
    run = run_vino(library_itself.Model([rounded], [logits]), x, out, threads)
    return Bound(run, lambda: _unsigned(out))


def torch_compiled(x: Int8, out: Bytes, threads: int) -> Bound:
    """Tie what torch.compile makes of the chain; it needs a C++ compiler, and seconds, at first."""
    torch = library("torch")
    torch.set_num_threads(threads)

    def chain(logits: Any) -> Any:
        weights = torch.softmax(logits.to(torch.float32) * SCALE, -1)
        return torch.round(weights * 255).to(torch.uint8)

    compiled, logits = torch.compile(chain, dynamic=False), torch.from_numpy(x)
    bound = keeping(lambda: compiled(logits))
    return Bound(bound.run, lambda: _unsigned(bound.result()))


@dataclass(frozen=True)
class Int8Peer:
    """One library; `softmax` ties int8 rows and an array of bytes which takes the result."""

    name: str
    softmax: Callable[[Int8, Bytes, int], Bound]
    slow: bool = False  #: to prepare: left out of a quick run


PEERS = (
    Int8Peer("LiteRT", litert),
    Int8Peer("ONNX Runtime", onnxruntime),
    Int8Peer("OpenVINO", openvino),
    Int8Peer("torch.compile", torch_compiled, slow=True),
)


def logits(shape: Shape) -> Int8:
    """Rows of N(0, 24^2) steps, the same for the same shape."""
    normal = np.random.default_rng(list(shape)).normal(0, 24, shape)
    return np.clip(np.rint(normal), -128, 127).astype(np.int8)


def exact(x: Int8) -> Any:
    """Softmax of the same quantised logits."""
    return fs.reference.online(x * np.float64(SCALE))


@cache
def survey(
    threads: int = 1, quick: bool = False, names: tuple[str, ...] | None = None
) -> tuple[tuple[Int8Peer, ...], dict[str, str]]:
    """Try the peers, or those named, on a few rows; say why each absent one is."""
    present, absent = [], {}
    for peer in PEERS:
        if names is not None and peer.name not in names:
            continue
        reason = registry.LEFT_OUT if quick and peer.slow else _trouble(peer, threads)
        if reason:
            absent[peer.name] = reason
        else:
            present.append(peer)
    registry.MISSED.update(absent)
    return tuple(present), absent


def _trouble(peer: Int8Peer, threads: int) -> str:
    x = logits((3, 20))
    try:
        found = peer.softmax(x, np.empty(x.shape, np.uint8), threads).run_once()
        worst = float(np.abs(found - exact(x)).max())
    except Exception as trouble:  # whatever a foreign library or its loader may raise
        return f"{type(trouble).__name__}: {trouble}"
    return "" if worst <= CREDIBLE else f"off by {worst:.1e}"
