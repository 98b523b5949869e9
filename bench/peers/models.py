"""Peers that run a model: XNNPACK through LiteRT, ONNX Runtime, OpenVINO.

Each gets a model of one softmax over rows of a fixed shape, built here in memory; int8.py
builds others, and runs them alike.
"""

import sys
from collections.abc import Callable
from typing import Any

from lib.data_sets import Float32, Shape

from peers.prepared_call import Bound, library

#: The first operator set with today's Softmax is 13; these are what most installed models use.
ONNX_OPSET, ONNX_FORMAT = 17, 8


#: A library's operator, tied to its tensors.
Run = Callable[[], Any]


def tflite_schema() -> Any:
    """Give the schema that LiteRT ships."""
    return library("ai_edge_litert.schema_py_generated")


def tflite_model(tensors: list[Any], version: int = 1) -> bytes:
    """Build a flatbuffer of one operator, SOFTMAX, from the first tensor to the second."""
    builder, schema = library("flatbuffers").Builder(1024), tflite_schema()
    softmax = schema.BuiltinOperator.SOFTMAX
    operator = schema.OperatorT(
        opcodeIndex=0,
        inputs=[0],
        outputs=[1],
        builtinOptionsType=schema.BuiltinOptions.SoftmaxOptions,
        builtinOptions=schema.SoftmaxOptionsT(beta=1.0),
    )
    model = schema.ModelT(
        version=3,
        operatorCodes=[
            schema.OperatorCodeT(
                deprecatedBuiltinCode=softmax, builtinCode=softmax, version=version
            )
        ],
        subgraphs=[
            schema.SubGraphT(tensors=tensors, inputs=[0], outputs=[1], operators=[operator])
        ],
        buffers=[schema.BufferT()],
    )
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def run_litert(model: bytes, x: Any, threads: int) -> tuple[Run, Callable[[], Any]]:
    """Load a model and its input; its tensors are its own memory, so the result is asked for."""
    interpreter = library("ai_edge_litert.interpreter").Interpreter(
        model_content=model, num_threads=threads
    )
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    result = interpreter.get_output_details()[0]["index"]
    return interpreter.invoke, lambda: interpreter.get_tensor(result)


def litert(x: Float32, out: Float32, threads: int) -> Bound:
    """Tie LiteRT, which gives float32 softmax to XNNPACK."""
    schema = tflite_schema()
    kind = schema.TensorType.FLOAT32
    tensors = [
        schema.TensorT(shape=list(x.shape), type=kind, buffer=0, name=name) for name in ("x", "y")
    ]
    return Bound(*run_litert(tflite_model(tensors), x, threads))


def onnx_model(
    shape: Shape, kind: str, node: Any, constants: tuple[Any, ...] = (), domain: str = ""
) -> bytes:
    """Serialise a model of one node, from x to y, tensors of one kind."""
    onnx = library("onnx")
    helper, number = onnx.helper, getattr(onnx.TensorProto, kind)
    ends = [[helper.make_tensor_value_info(name, number, shape)] for name in ("x", "y")]
    graph = helper.make_graph([node], "softmax", *ends, constants)
    opsets = [helper.make_opsetid("", ONNX_OPSET)]
    if domain:
        opsets.append(helper.make_opsetid(domain, 1))
    serialized: bytes = helper.make_model(
        graph, opset_imports=opsets, ir_version=ONNX_FORMAT
    ).SerializeToString()
    return serialized


def run_onnx(model: bytes, x: Any, out: Any, threads: int) -> Run:
    """Tie a session by an IOBinding to the memory of both arrays."""
    runtime = library("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # or its workers would go on spinning while others are timed
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    for bind, name, array in ((binding.bind_input, "x", x), (binding.bind_output, "y", out)):
        bind(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
    return lambda: session.run_with_iobinding(binding)


def onnxruntime(x: Float32, out: Float32, threads: int) -> Bound:
    """Tie ONNX Runtime's Softmax."""
    node = library("onnx").helper.make_node("Softmax", ["x"], ["y"], axis=-1)
    run = run_onnx(onnx_model(x.shape, "FLOAT", node), x, out, threads)
    return Bound(run, lambda: out)


def vino() -> tuple[Any, Any]:
    """Import OpenVINO and its operators.

    The import would report the use to its makers, from a forked process in the midst of our
    timings. It does without where the reporting module can't be imported.
    """
    silenced: dict[str, Any] = {"openvino_telemetry": None}
    sys.modules.update(silenced)
    return library("openvino"), library("openvino.opset13")


def run_vino(model: Any, x: Any, out: Any, threads: int) -> Run:
    """Tie OpenVINO to tensors over the memory of both arrays."""
    library_itself, _ = vino()
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": "f32",  # it would take bfloat16 where the CPU has it
    }
    request = library_itself.Core().compile_model(model, "CPU", settings).create_infer_request()
    request.set_input_tensor(library_itself.Tensor(x, shared_memory=True))
    request.set_output_tensor(library_itself.Tensor(out, shared_memory=True))
    return lambda: request.infer(share_outputs=True)


def openvino(x: Float32, out: Float32, threads: int) -> Bound:
    """Tie OpenVINO's softmax."""
    library_itself, op = vino()
    logits = op.parameter(list(x.shape), library_itself.Type.f32)
    model = library_itself.Model([op.softmax(logits, x.ndim - 1)], [logits])
    run = run_vino(model, x, out, threads)
    return Bound(run, lambda: out)
