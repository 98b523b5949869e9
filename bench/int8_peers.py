"""Other people's softmax of int8 logits, each tied to its arrays as in model_peers.py.

Logits are int8 of `SCALE` nats a step, results 8 bits, in whatever units a library has for
probabilities; `result` gives them as floats. A library without an int8 softmax gets the chain that
its users write: to float, softmax, to 8 bits, fused as far as the library does that.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import fastsoftmax as fs
import numpy as np
from bound import Bound, keeping, library
from data_sets import Shape
from model_peers import ONNX_FORMAT, ONNX_OPSET
from numpy.typing import NDArray

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


def _tflite_model(shape: Shape) -> bytes:
    """Build a flatbuffer of one operator, SOFTMAX, int8 to int8 in units of 1/256 from -128."""
    builder = library("flatbuffers").Builder(1024)
    schema: Any = library("ai_edge_litert.schema_py_generated")
    softmax = schema.BuiltinOperator.SOFTMAX
    tensors = [
        schema.TensorT(
            shape=list(shape),
            type=schema.TensorType.INT8,
            buffer=0,
            name=name,
            quantization=schema.QuantizationParametersT(scale=[scale], zeroPoint=[zero]),
        )
        for name, scale, zero in (("x", SCALE, 0), ("y", 1 / 256, -128))
    ]
    operator = schema.OperatorT(
        opcodeIndex=0,
        inputs=[0],
        outputs=[1],
        builtinOptionsType=schema.BuiltinOptions.SoftmaxOptions,
        builtinOptions=schema.SoftmaxOptionsT(beta=1.0),
    )
    code = schema.OperatorCodeT(deprecatedBuiltinCode=softmax, builtinCode=softmax, version=2)
    graph = schema.SubGraphT(tensors=tensors, inputs=[0], outputs=[1], operators=[operator])
    model = schema.ModelT(
        version=3, operatorCodes=[code], subgraphs=[graph], buffers=[schema.BufferT()]
    )
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def litert(x: Int8, out: Bytes, threads: int) -> Bound:
    """Tie LiteRT's own int8 kernel; its tensors are its own memory."""
    interpreter = library("ai_edge_litert.interpreter").Interpreter(
        model_content=_tflite_model(x.shape), num_threads=threads
    )
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    result = interpreter.get_output_details()[0]["index"]

    return Bound(interpreter.invoke, lambda: _signed(interpreter.get_tensor(result)))


def _onnx_model(shape: Shape) -> bytes:
    onnx = library("onnx")
    types, helper = onnx.TensorProto, onnx.helper
    node = helper.make_node(
        "QLinearSoftmax",
        ["x", "x_scale", "x_zero", "y_scale", "y_zero"],
        ["y"],
        domain="com.microsoft",
        axis=-1,
        opset=ONNX_OPSET,
    )
    constants = [
        helper.make_tensor(name, kind, [], [value])
        for name, kind, value in (
            ("x_scale", types.FLOAT, SCALE),
            ("x_zero", types.INT8, 0),
            ("y_scale", types.FLOAT, 1 / 256),
            ("y_zero", types.INT8, -128),
        )
    ]
    graph = helper.make_graph(
        [node],
        "softmax",
        [helper.make_tensor_value_info("x", types.INT8, shape)],
        [helper.make_tensor_value_info("y", types.INT8, shape)],
        constants,
    )
    opsets = [helper.make_opsetid("", ONNX_OPSET), helper.make_opsetid("com.microsoft", 1)]
    serialized: bytes = helper.make_model(
        graph, opset_imports=opsets, ir_version=ONNX_FORMAT
    ).SerializeToString()
    return serialized


def onnxruntime(x: Int8, out: Bytes, threads: int) -> Bound:
    """Tie ONNX Runtime's QLinearSoftmax by an IOBinding to the memory of both arrays."""
    runtime = library("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = runtime.InferenceSession(
        _onnx_model(x.shape), options, providers=["CPUExecutionProvider"]
    )
    binding = session.io_binding()
    for bind, name, array in ((binding.bind_input, "x", x), (binding.bind_output, "y", out)):
        bind(name, "cpu", 0, np.int8, array.shape, array.ctypes.data)

    def run() -> None:
        session.run_with_iobinding(binding)

    return Bound(run, lambda: _signed(out))


def openvino(x: Int8, out: Bytes, threads: int) -> Bound:
    """Tie OpenVINO to tensors over the memory of both arrays: scale, softmax, to 8 bits."""
    silenced: dict[str, Any] = {"openvino_telemetry": None}  # see model_peers.py
    sys.modules.update(silenced)
    vino = library("openvino")
    op = library("openvino.opset13")
    logits = op.parameter(list(x.shape), vino.Type.i8)
    scaled = op.multiply(op.convert(logits, vino.Type.f32), op.constant(np.float32(SCALE)))
    weights = op.multiply(op.softmax(scaled, x.ndim - 1), op.constant(np.float32(255)))
    model = vino.Model([op.convert(op.round(weights, "half_to_even"), vino.Type.u8)], [logits])
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": "f32",
    }
    request = vino.Core().compile_model(model, "CPU", settings).create_infer_request()
    request.set_input_tensor(vino.Tensor(x, shared_memory=True))
    request.set_output_tensor(vino.Tensor(out, shared_memory=True))

    def run() -> None:
        request.infer(share_outputs=True)

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
        reason = "left out of a quick run" if quick and peer.slow else _trouble(peer, threads)
        if reason:
            absent[peer.name] = reason
        else:
            present.append(peer)
    return tuple(present), absent


def _trouble(peer: Int8Peer, threads: int) -> str:
    x = logits((3, 20))
    try:
        found = peer.softmax(x, np.empty(x.shape, np.uint8), threads).run_once()
        worst = float(np.abs(found - exact(x)).max())
    except Exception as trouble:  # whatever a foreign library or its loader may raise
        return f"{type(trouble).__name__}: {trouble}"
    return "" if worst <= CREDIBLE else f"off by {worst:.1e}"
