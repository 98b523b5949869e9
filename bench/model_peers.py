"""Peers that run a model: XNNPACK through LiteRT, ONNX Runtime, OpenVINO.

Each gets a model of one softmax over rows of a fixed shape, built here in memory.
"""

import sys
from typing import Any

import numpy as np
from bound import Bound, library
from data_sets import Float32, Shape

#: The first operator set with today's Softmax is 13; these are what most installed models use.
ONNX_OPSET, ONNX_FORMAT = 17, 8


def _tflite_model(shape: Shape) -> bytes:
    """Build a flatbuffer of one operator, SOFTMAX, with the schema that LiteRT ships."""
    builder = library("flatbuffers").Builder(1024)
    schema: Any = library("ai_edge_litert.schema_py_generated")
    softmax = schema.BuiltinOperator.SOFTMAX
    tensors = [
        schema.TensorT(shape=list(shape), type=schema.TensorType.FLOAT32, buffer=0, name=name)
        for name in ("x", "y")
    ]
    operator = schema.OperatorT(
        opcodeIndex=0,
        inputs=[0],
        outputs=[1],
        builtinOptionsType=schema.BuiltinOptions.SoftmaxOptions,
        builtinOptions=schema.SoftmaxOptionsT(beta=1.0),
    )
    model = schema.ModelT(
        version=3,
        operatorCodes=[schema.OperatorCodeT(deprecatedBuiltinCode=softmax, builtinCode=softmax)],
        subgraphs=[
            schema.SubGraphT(tensors=tensors, inputs=[0], outputs=[1], operators=[operator])
        ],
        buffers=[schema.BufferT()],
    )
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def litert(x: Float32, out: Float32, threads: int) -> Bound:
    """Tie LiteRT, which gives float32 softmax to XNNPACK; its tensors are its own memory."""
    interpreter = library("ai_edge_litert.interpreter").Interpreter(
        model_content=_tflite_model(x.shape), num_threads=threads
    )
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    result = interpreter.get_output_details()[0]["index"]
    return Bound(interpreter.invoke, lambda: interpreter.get_tensor(result))


def _onnx_model(shape: Shape) -> bytes:
    onnx = library("onnx")
    kind, helper = onnx.TensorProto.FLOAT, onnx.helper
    graph = helper.make_graph(
        [helper.make_node("Softmax", ["x"], ["y"], axis=-1)],
        "softmax",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", kind, shape)],
    )
    opsets = [helper.make_opsetid("", ONNX_OPSET)]
    serialized: bytes = helper.make_model(
        graph, opset_imports=opsets, ir_version=ONNX_FORMAT
    ).SerializeToString()
    return serialized


def onnxruntime(x: Float32, out: Float32, threads: int) -> Bound:
    """Tie ONNX Runtime by an IOBinding to the memory of both arrays."""
    runtime = library("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # or its workers would go on spinning while others are timed
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = runtime.InferenceSession(
        _onnx_model(x.shape), options, providers=["CPUExecutionProvider"]
    )
    binding = session.io_binding()
    for bind, name, array in ((binding.bind_input, "x", x), (binding.bind_output, "y", out)):
        bind(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)

    def run() -> None:
        session.run_with_iobinding(binding)

    return Bound(run, lambda: out)


def openvino(x: Float32, out: Float32, threads: int) -> Bound:
    """Tie OpenVINO to tensors over the memory of both arrays.

    Its import would report the use to its makers, from a forked process in the midst of our
    timings. It does without where the reporting module can't be imported.
    """
    silenced: dict[str, Any] = {"openvino_telemetry": None}
    sys.modules.update(silenced)
    vino = library("openvino")
    operators = library("openvino.opset13")
    logits = operators.parameter(list(x.shape), vino.Type.f32)
    model = vino.Model([operators.softmax(logits, x.ndim - 1)], [logits])
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": "f32",  # it would take bfloat16 where the CPU has it
    }
    request = vino.Core().compile_model(model, "CPU", settings).create_infer_request()
    request.set_input_tensor(vino.Tensor(x, shared_memory=True))
    request.set_output_tensor(vino.Tensor(out, shared_memory=True))

    def run() -> None:
        request.infer(share_outputs=True)

    return Bound(run, lambda: out)
