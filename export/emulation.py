"""A strongly typed graph on a processor that has no kernels of its type: fp32 arithmetic, rounded where the graph is.

Each halved node gets its inputs rounded to half precision, computes in fp32, and its outputs are rounded. That is what
a GPU's matrix units do, which multiply halves and sum in fp32, but for the order of the sums. ONNX Runtime's own way
with fp16 on x86 is the same; for bf16 it has none (`Could not find an implementation for MatMul`, 1.31).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from distill.inference.collate import Batch
from export.strong_types import value_types

_FLOAT = TensorProto.FLOAT
_HALVES = (TensorProto.FLOAT16, TensorProto.BFLOAT16)
# They move values that are rounded already.
_EXACT = frozenset({"Gather", "Reshape", "Transpose", "Slice", "Concat", "Squeeze", "Unsqueeze", "Expand", "Identity"})


def emulated(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph in fp32 arithmetic with the roundings of its types. Args: model: from `strongly_typed`."""
    types, found = value_types(model), onnx.ModelProto()
    found.CopyFrom(model)
    graph = found.graph
    del graph.node[:], graph.value_info[:], graph.initializer[:]
    for tensor in model.graph.initializer:
        graph.initializer.append(_widened(tensor) if tensor.data_type in _HALVES else tensor)
    for node in model.graph.node:
        graph.node.extend(_rounded(node, types))
    onnx.checker.check_model(found, full_check=True)
    return found


class Emulated:
    """A runner of a strongly typed file on the processor. Args: threads: of one operator; None: all cores."""

    def __init__(self, path: Path, threads: int | None = None) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = threads or 0, 3
        graph = emulated(onnx.load(path)).SerializeToString()
        self._session: Any = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self.provider = "CPUExecutionProvider"

    def logits(self, batch: Batch) -> NDArray[np.float32]:
        """Logits (B, C), as of any runner."""
        feeds = {item.name: batch[item.name].astype(np.int64) for item in self._session.get_inputs()}
        return np.asarray(self._session.run(["logits"], feeds)[0], np.float32)


def _widened(tensor: onnx.TensorProto) -> onnx.TensorProto:
    return numpy_helper.from_array(numpy_helper.to_array(tensor).astype("float32"), tensor.name)


def _rounded(node: onnx.NodeProto, types: dict[str, int]) -> Iterator[onnx.NodeProto]:
    halves = {name: types[name] for name in node.output if types.get(name) in _HALVES}
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    if node.op_type == "Cast" and not halves:
        if types.get(node.input[0]) in _HALVES:  # it is fp32 here already
            copy = helper.make_node("Identity", node.input, node.output, name=node.name)
        yield copy
        return
    if node.op_type == "Cast":
        copy = helper.make_node("Identity", node.input, node.output, name=node.name)
    rounds = halves if node.op_type not in _EXACT else {}
    for index, name in enumerate(node.output):
        if name in rounds:
            copy.output[index] = f"{name}_exact"
    yield copy
    for name, half in rounds.items():
        yield helper.make_node("Cast", [f"{name}_exact"], [f"{name}_rounded"], name=f"{name}/Round", to=half)
        yield helper.make_node("Cast", [f"{name}_rounded"], [name], name=f"{name}/Widen", to=_FLOAT)
