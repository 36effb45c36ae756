"""The least that a graph of one shape can cost: its products, and nothing between them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper


def gemm_floor(config: Mapping[str, int], tokens: int, *, exact: bool = False) -> onnx.ModelProto:
    """The products of a classifier of this shape alone: int8 with weights, fp32 in attention, the last layer of [CLS].

    Args: config: `layers`, `width`, `inner`, `heads`. exact: those with weights in fp32, too.
    """
    return _Floor(config, tokens, exact).model()


class _Floor:
    def __init__(self, config: Mapping[str, int], tokens: int, exact: bool) -> None:
        self.width, self.inner, self.heads = config["width"], config["inner"], config["heads"]
        self.layers, self.tokens, self.exact = config["layers"], tokens, exact
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.inputs: dict[str, onnx.ValueInfoProto] = {}
        self.outputs: list[onnx.ValueInfoProto] = []

    def model(self) -> onnx.ModelProto:
        """The graph: every product reads an input of its own kind, and its result is an output."""
        for layer in range(self.layers):
            rows = 1 if layer == self.layers - 1 else self.tokens
            if rows == self.tokens:
                self._weighted(rows, self.width, 3 * self.width)
            else:
                self._weighted(rows, self.width, self.width)
                self._weighted(self.tokens, self.width, 2 * self.width)
            self._weighted(rows, self.width, self.width)
            self._weighted(rows, self.width, self.inner)
            self._weighted(rows, self.inner, self.width)
            self._plain(rows, self.width // self.heads, self.tokens)
            self._plain(rows, self.tokens, self.width // self.heads)
        graph = helper.make_graph(self.nodes, "floor", list(self.inputs.values()), self.outputs, self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)

    def _weighted(self, rows: int, inner: int, columns: int) -> None:
        values = np.random.default_rng(len(self.nodes)).integers(-127, 128, (inner, columns))
        name = f"weights.{len(self.nodes)}"
        self.weights.append(numpy_helper.from_array(values.astype(np.float32 if self.exact else np.int8), name))
        if self.exact:
            self._node("MatMul", [self._input("float", rows, inner), name], onnx.TensorProto.FLOAT)
        else:
            self._node("MatMulInteger", [self._input("uint8", rows, inner), name], onnx.TensorProto.INT32)

    def _plain(self, rows: int, inner: int, columns: int) -> None:
        sides = [self._input("float", self.heads, *shape) for shape in ((rows, inner), (inner, columns))]
        self._node("MatMul", sides, onnx.TensorProto.FLOAT)

    def _input(self, kind: str, *shape: int) -> str:
        name = f"{kind}.{'x'.join(map(str, shape))}"
        number = onnx.TensorProto.UINT8 if kind == "uint8" else onnx.TensorProto.FLOAT
        self.inputs[name] = helper.make_tensor_value_info(name, number, shape)
        return name

    def _node(self, operator: str, inputs: list[str], kind: int) -> None:
        out = f"out.{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [out]))
        self.outputs.append(helper.make_tensor_value_info(out, kind, None))
