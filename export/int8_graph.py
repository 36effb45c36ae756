"""The graph of an int8 file in the form that ONNX Runtime runs faster: equal results, standard operators."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

_MASK = "attention_mask"
_MAY_MAKE_MASKS = ("Where", "Mul")
_SHORT = "short_attention_mask"


def speed_up(model: onnx.ModelProto) -> dict[str, Any]:
    """Rewrite a quantised model in place; where a pattern is not found, as in other families, that part stays.

    Returns: what was done, JSON-ready: `sums`, residual additions that keep their LayerNormalization apart;
        `short_mask`, whether the mask is made of few operators.
    """
    return {"sums": sum_residuals(model.graph), "short_mask": shorten_mask(model)}


def sum_residuals(graph: onnx.GraphProto) -> int:
    """Add residuals by `Sum`, which is the same for two tensors; returns how many.

    ONNX Runtime joins Add and LayerNormalization into SkipLayerNormalization, whose kernel takes about five times as
    long on processors (52 against 10 µs for 25 tokens × 384, ONNX Runtime 1.31), and leaves Sum alone.
    """
    made, stored = _producers(graph), {tensor.name for tensor in graph.initializer}
    found = [made.get(node.input[0]) for node in graph.node if node.op_type == "LayerNormalization"]
    # A bias stays an Add, which ONNX Runtime joins to its product.
    sums = [node for node in found if node is not None and node.op_type == "Add" and not stored & {*node.input}]
    for node in sums:
        node.op_type = "Sum"
    return len(sums)


def shorten_mask(model: onnx.ModelProto) -> bool:
    """Make what attention adds to its scores, 0 for tokens and the lowest number for padding, by three operators.

    A traced graph makes it of some fifteen, (B, 1, S, S) large, which cost a twentieth of a short card's time;
    (B, 1, 1, S) says the same. A tensor is replaced only where it has just these values for a set of masks and shapes,
    and is only added to others; so causal masks, windows and relative positions stay as they are.

    Returns: whether the graph had such a tensor.
    """
    graph = model.graph
    for name in _candidates(graph):
        lowest = _lowest(model, name)
        if lowest is not None:
            _replace(graph, name, lowest)
            return True
    return False


def _candidates(graph: onnx.GraphProto) -> Iterator[str]:
    """Tensors that depend on the mask and on no weight, and are only added, whole or their first row, to others."""
    users: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        name = node.output[0]
        if node.op_type in _MAY_MAKE_MASKS and all(_only_adds(user, users, constants) for user in users.get(name, [])):
            above = list(_above(graph, name))
            reads_mask = any(_MASK in one.input for one in above)
            if reads_mask and not any("MatMul" in one.op_type or one.op_type == "Gather" for one in above):
                yield name


def _only_adds(
    node: onnx.NodeProto, users: Mapping[str, Sequence[onnx.NodeProto]], constants: Mapping[str, onnx.TensorProto]
) -> bool:
    """Whether a node adds, or takes the first row of axis 2, as [CLS] alone does, for nodes that add."""
    if node.op_type == "Slice" and len(node.input) >= 4 and all(name in constants for name in node.input[1:] if name):
        start, end, axis = (numpy_helper.to_array(constants[name]).tolist() for name in node.input[1:4])
        return (start, end, axis) == ([0], [1], [2]) and all(
            user.op_type == "Add" for user in users.get(node.output[0], [])
        )
    return node.op_type == "Add"


def _lowest(model: onnx.ModelProto, name: str) -> float | None:
    """The number that a tensor holds for padding where it holds 0 for all else; None for any other tensor."""
    found: set[float] = set()
    try:
        for mask, values in zip(_MASKS, _values(model, name), strict=True):
            wide = np.broadcast_to(mask[:, None, None, :] != 0, values.shape) if values.ndim == 4 else None
            if wide is None or values.dtype != np.float32 or values[wide].any():
                return None
            found.update(values[~wide].tolist())
    except Exception:  # of the runtime's many kinds: a family whose masks have a form or a length of their own
        return None
    return found.pop() if len(found) == 1 and min(found) < 0 else None


def _values(model: onnx.ModelProto, name: str) -> Iterator[NDArray[Any]]:
    """What a tensor is for each of the masks. Only what it is made from is run."""
    import onnxruntime

    graph = model.graph
    nodes = list(_above(graph, name))
    read = {item for node in nodes for item in node.input}
    part = helper.make_graph(
        nodes,
        "part",
        [item for item in graph.input if item.name in read],
        [onnx.ValueInfoProto(name=name)],  # of whatever type it is
        [tensor for tensor in graph.initializer if tensor.name in read],
    )
    alone = helper.make_model(part, opset_imports=model.opset_import, ir_version=model.ir_version)
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    providers = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(alone.SerializeToString(), options, providers=providers)
    for mask in _MASKS:
        given = {item.name: mask if item.name == _MASK else np.ones_like(mask) for item in part.input}
        yield session.run(None, given)[0]


def _replace(graph: onnx.GraphProto, name: str, lowest: float) -> None:
    """Make a tensor from the mask alone, and drop what only the old one needed."""
    numbers = {"axes": np.array([1, 2]), "zero": np.float32(0), "lowest": np.float32(lowest)}
    graph.initializer.extend(numpy_helper.from_array(np.asarray(n), f"{_SHORT}.{key}") for key, n in numbers.items())
    axes, zero, low = (f"{_SHORT}.{key}" for key in numbers)
    made = [
        helper.make_node("Unsqueeze", [_MASK, axes], [f"{_SHORT}.wide"], f"{_SHORT}/Unsqueeze"),
        helper.make_node("Cast", [f"{_SHORT}.wide"], [f"{_SHORT}.held"], f"{_SHORT}/Cast", to=TensorProto.BOOL),
        helper.make_node("Where", [f"{_SHORT}.held", zero, low], [name], f"{_SHORT}/Where"),
    ]
    kept = [*made, *(node for node in graph.node if node.output[0] != name)]
    needed = {value.name for value in graph.output}
    for node in reversed(kept):
        if needed & {*node.output}:
            needed |= {*node.input}
    nodes = [node for node in kept if needed & {*node.output}]
    stored = [tensor for tensor in graph.initializer if tensor.name in needed]
    _set(graph.node, nodes)
    _set(graph.initializer, stored)


def _set(field: Any, items: Iterable[Any]) -> None:
    copies = list(items)
    del field[:]
    field.extend(copies)


def _above(graph: onnx.GraphProto, name: str) -> Iterator[onnx.NodeProto]:
    """The nodes that a tensor is made by, in the graph's order."""
    needed = {name}
    found = []
    for node in reversed(graph.node):
        if needed & {*node.output}:
            needed |= {*node.input}
            found.append(node)
    yield from reversed(found)


def _producers(graph: onnx.GraphProto) -> dict[str, onnx.NodeProto]:
    return {name: node for node in graph.node for name in node.output}


def _masks() -> list[NDArray[np.int64]]:
    """Masks (B, S): one token, no padding, padding on either side, a hole, a row of padding alone; and one that is
    longer than any window of local attention (ModernBERT's has 128 tokens).
    """
    rows = [[[1]], [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], [[0, 1, 1], [1, 0, 1], [0, 0, 0], [1, 1, 1]], [[1] * 2048]]
    return [np.array(row, np.int64) for row in rows]


_MASKS = _masks()
