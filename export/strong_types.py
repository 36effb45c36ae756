"""A strongly typed graph of an exported fp32 model: half precision where it is safe, fp32 islands, casts between them.

TensorRT 11 has no precision flags and TensorRT 10's are deprecated: an engine computes in the types that the graph
states. Libraries that convert graphs (`onnxruntime.transformers.float16`, `onnxconverter-common`) know fp16 alone, and
bring what it cannot hold into its range without a word: a mask of -3.4e38 becomes -65504, a weight of 1e-9 becomes
6e-8. Here such a value keeps its type, and whatever computes with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from distill.core.errors import UserError

_FLOAT = TensorProto.FLOAT
_HALF: dict[str, int] = {"fp16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16}
LARGEST = {"fp16": 65504.0, "bf16": 3.3895313892515355e38}
"""The largest finite value of each half precision."""

_PRODUCTS = frozenset({"MatMul", "Gemm"})
# What has kernels in half precision and loses nothing by them but rounding. Sums over many values (LayerNormalization,
# Softmax, ReduceMean), powers, roots and operators that nobody thought of stay fp32.
_ELEMENTWISE = frozenset({"Add", "Sub", "Mul", "Gelu", "Relu", "Tanh", "Sigmoid", "Neg"})
_MOVERS = frozenset(
    {
        *("Gather", "GatherND", "GatherElements", "Reshape", "Transpose", "Slice", "Concat", "Split"),
        *("Squeeze", "Unsqueeze", "Expand", "Identity", "Flatten", "Tile", "Where"),
    }
)
_HALVED = _PRODUCTS | _ELEMENTWISE | _MOVERS
# What hands a large value on, as a mask of -3.4e38 on its way to the softmax.
_HANDS_ON = _MOVERS | {"Add", "Sub", "Mul", "Neg", "Cast"}


@dataclass(frozen=True)
class Plan:
    """Which nodes of a graph compute in half precision.

    Attributes:
        precision: `fp16` or `bf16`. halved: names of the nodes that do. kept: names of the other nodes that compute
            with floats, with the reason: an operator, a large value, or a pattern of the user's.
    """

    precision: str
    halved: frozenset[str]
    kept: Mapping[str, str] = field(default_factory=dict)


def plan(
    model: onnx.ModelProto,
    precision: str,
    *,
    largest: Mapping[str, float] | None = None,
    share: float = 1.0,
    keep_fp32: Collection[str] = (),
) -> Plan:
    """Decide for each node of an fp32 graph whether it computes in half precision.

    Args: largest: value name to its largest absolute entry on real records. share: of the type's largest value, from
        which on a value is too large for it. keep_fp32: patterns of node names that stay fp32.
    Raises: UserError when a pattern matches no node, when a product of a layer would meet values that are too large,
        and when nothing is left to halve.
    """
    limit = share * LARGEST[precision]
    types, over = value_types(model), _over(model, largest or {}, limit)
    floats = [node for node in model.graph.node if _computes_floats(node, types)]
    _require_matches(keep_fp32, [node.name for node in floats])
    kept: dict[str, str] = {}
    for node in floats:
        met = next((name for name in (*node.input, *node.output) if name in over), None)
        if any(fnmatchcase(node.name, pattern) for pattern in keep_fp32):
            kept[node.name] = "keep_fp32"
        elif node.op_type not in _HALVED:
            kept[node.name] = node.op_type
        elif met is not None:
            if is_product(node, model):
                raise _overflows(node, over[met], limit, precision)
            kept[node.name] = f"values of {over[met]:.3g}"
    halved = frozenset(node.name for node in floats if node.name not in kept)
    if not any(node.name in halved and is_product(node, model) for node in floats):
        raise UserError(f"no product with weights is left to compute in {precision}", do="use the target onnx")
    return Plan(precision, halved, kept)


def strongly_typed(model: onnx.ModelProto, chosen: Plan) -> onnx.ModelProto:
    """The graph with the types of a plan: halved nodes read and write half precision, all others fp32.

    Inputs stay integers and the logits fp32. Constants that a halved node reads are stored in half precision, rounded
    to the nearest.
    """
    half = _HALF[chosen.precision]
    types, found = value_types(model), onnx.ModelProto()
    found.CopyFrom(model)
    graph = found.graph
    del graph.node[:], graph.value_info[:]
    typed = _Typed(model, half, types)
    for node in model.graph.node:
        wanted = half if node.name in chosen.halved else _FLOAT
        graph.node.extend(typed.rewritten(node, wanted))
    graph.node.extend(typed.outputs())
    used = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in [*model.graph.initializer, *typed.constants.values()] if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    onnx.checker.check_model(found, full_check=True)
    return found


def node_types(model: onnx.ModelProto) -> dict[str, tuple[set[int], set[int]]]:
    """By node name the float types that it reads and that it writes, as `onnx.TensorProto` has them."""
    types = value_types(model)

    def floats(names: Any) -> set[int]:
        return {types[name] for name in names if types.get(name) in (_FLOAT, *_HALF.values())}

    return {node.name: (floats(node.input), floats(node.output)) for node in model.graph.node}


def value_types(model: onnx.ModelProto) -> dict[str, int]:
    """The element type of every value of a graph. Raises: whatever ONNX raises for types that do not fit."""
    graph = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True).graph
    found = {tensor.name: tensor.data_type for tensor in graph.initializer}
    for value in (*graph.input, *graph.output, *graph.value_info):
        found[value.name] = value.type.tensor_type.elem_type
    return found


def is_product(node: onnx.NodeProto, model: onnx.ModelProto) -> bool:
    """Whether a node multiplies by constant weights."""
    return node.op_type in _PRODUCTS and node.input[1] in {tensor.name for tensor in model.graph.initializer}


class _Typed:
    """Nodes as they read values of one type or the other: casts are added once a value, constants are converted."""

    def __init__(self, model: onnx.ModelProto, half: int, types: Mapping[str, int]) -> None:
        self.half, self.types = half, dict(types)
        self.written = dict[str, int]()
        self.made = dict[tuple[str, int], str]()
        self.constants = dict[str, onnx.TensorProto]()
        self.stored = {tensor.name: tensor for tensor in model.graph.initializer}
        self.graph_outputs = [value.name for value in model.graph.output]

    def rewritten(self, node: onnx.NodeProto, wanted: int) -> Iterator[onnx.NodeProto]:
        """The node with the casts before it. Its float inputs and outputs become of the type `wanted`."""
        found = onnx.NodeProto()
        found.CopyFrom(node)
        for index, name in enumerate(node.input):
            if name and self.types.get(name) == _FLOAT:
                found.input[index], cast = self._as(name, wanted)
                yield from cast
        for index, name in enumerate(node.output):
            if self.types.get(name) == _FLOAT:
                self.written[name] = wanted
                if name in self.graph_outputs and wanted != _FLOAT:
                    found.output[index] = self.made[name, wanted] = f"{name}_half"
        yield found

    def outputs(self) -> Iterator[onnx.NodeProto]:
        """Casts of the graph's outputs to fp32, where they were not written so."""
        for name in self.graph_outputs:
            if self.written.get(name, _FLOAT) != _FLOAT:
                source = self.made[name, self.written[name]]
                yield helper.make_node("Cast", [source], [name], name=f"{name}/Cast_fp32", to=_FLOAT)

    def _as(self, name: str, wanted: int) -> tuple[str, list[onnx.NodeProto]]:
        if name in self.stored:
            return (self._constant(name), []) if wanted != _FLOAT else (name, [])
        if (name, wanted) in self.made or self.written.get(name, _FLOAT) == wanted:
            return self.made.get((name, wanted), name), []
        source = self.made.get((name, self.written.get(name, _FLOAT)), name)
        suffix = "fp32" if wanted == _FLOAT else "half"
        cast = self.made[name, wanted] = f"{name}_{suffix}"
        return cast, [helper.make_node("Cast", [source], [cast], name=f"{name}/Cast_{suffix}", to=wanted)]

    def _constant(self, name: str) -> str:
        found = f"{name}_half"
        if found not in self.constants:
            values = numpy_helper.to_array(self.stored[name])
            rounded = values.astype(helper.tensor_dtype_to_np_dtype(self.half))
            self.constants[found] = numpy_helper.from_array(rounded, found)
        return found


def _computes_floats(node: onnx.NodeProto, types: Mapping[str, int]) -> bool:
    """Whether a node has floats on both of its sides, or makes some of others."""
    return any(types.get(name) == _FLOAT for name in node.output) and node.op_type != "Cast"


def _over(model: onnx.ModelProto, largest: Mapping[str, float], limit: float) -> dict[str, float]:
    """Values that are too large, with their largest entry: by what was recorded, and constants with what they reach."""
    found = {name: value for name, value in largest.items() if not value <= limit}
    for tensor in model.graph.initializer:
        if tensor.data_type == _FLOAT and (size := _size(tensor)) > limit:
            found[tensor.name] = size
    for node in model.graph.node:
        met = [found[name] for name in node.input if name in found]
        if met and node.op_type in _HANDS_ON:
            found |= {name: max(met) for name in node.output if name not in found}
    return found


def _size(tensor: onnx.TensorProto) -> float:
    values = np.abs(numpy_helper.to_array(tensor))
    finite = values[np.isfinite(values)]
    # A mask may be written as minus infinity.
    return float("inf") if finite.size < values.size else float(finite.max(initial=0.0))


def _require_matches(patterns: Collection[str], names: Collection[str]) -> None:
    idle = [pattern for pattern in patterns if not any(fnmatchcase(name, pattern) for name in names)]
    if idle:
        known = f"use patterns of names such as {', '.join(list(names)[:3])}"
        raise UserError("keep_fp32: no node has such a name", found=", ".join(idle), do=known)


def _overflows(node: onnx.NodeProto, value: float, limit: float, precision: str) -> UserError:
    return UserError(
        f"{precision} cannot hold what this model computes",
        where=node.name,
        found=f"{value:.6g} on real records, at most {limit:.6g} of {LARGEST[precision]:.6g} is allowed",
        do=f"name the node in keep_fp32 of the export preset, or export in {'bf16' if precision == 'fp16' else 'fp32'}",
    )
