"""Forms of one classifier's graph that were tried for speed on processors: what ships, what did before, what else."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import helper, numpy_helper

from export import int8, int8_graph
from export.targets.onnx_fp32 import OnnxFp32

BEFORE, SHIPPED = "int8 as quantised", "int8 as shipped"
EXACT, FUSED = "fp32", "fp32, onnxruntime.transformers"
_MASK, _TYPES = "attention_mask", "token_type_ids"
_MICROSOFT = "com.microsoft"


def write_forms(fp32: Path, folder: Path, heads: int, *, few: bool = False) -> dict[str, Path]:
    """Write every form of an fp32 export of a BERT with eager attention; names to files, each in a folder of its own.

    Args: heads: of attention. few: only fp32, and the int8 file as quantised and as shipped.
    """
    forms: dict[str, Callable[[onnx.ModelProto], None]] = {
        "int8, queries, keys and values in one product": merge_products,
        "int8, attention as one operator": lambda model: fuse_attention(model, heads),
        "int8, attention and its products as one operator": lambda model: fuse_products(model, heads),
        "int8 without a mask": drop_mask,
        "int8 without a mask, attention and its products as one operator": lambda model: _both(model, heads),
        "int8, one input: no mask, one segment": one_input,
    }
    names = [EXACT, FUSED, BEFORE, SHIPPED, *forms, "int8 with static scales"]
    made = {name: _place(folder, number) for number, name in enumerate(names)}
    for name, faster in ((BEFORE, False), (SHIPPED, True)):
        int8.quantise(fp32, made[name], faster=faster)
    shutil.copy(fp32, made[EXACT])
    if few:
        return {name: made[name] for name in (EXACT, BEFORE, SHIPPED)}
    _library_fusion(fp32, made[FUSED], heads)
    for name, change in forms.items():
        model = onnx.load(made[SHIPPED])
        change(model)
        onnx.save(model, made[name])
    _static(fp32, made["int8 with static scales"])
    return made


def _place(folder: Path, number: int) -> Path:
    """Where an export target looks for its file."""
    place = folder / f"form-{number}" / OnnxFp32.model
    place.parent.mkdir()
    return place


def merge_products(model: onnx.ModelProto) -> None:
    """Give products of one input one matrix, whose result is split: numbers stay as they are."""
    graph = model.graph
    weights = _weights(graph)
    groups: dict[str, list[_Chain]] = {}
    for chain in _chains(graph):
        groups.setdefault(chain.product.input[0], []).append(chain)
    for number, chains in enumerate(group for group in groups.values() if len(group) > 1):
        first, name = chains[0], f"merged.{number}"
        sizes = np.array([weights[_stored(chain.add, weights)].size for chain in chains])
        graph.initializer.append(numpy_helper.from_array(sizes, f"{name}.sizes"))
        _join(graph, chains, weights, name)
        outputs = [chain.add.output[0] for chain in chains]
        for chain in chains[1:]:
            for node in chain:
                graph.node.remove(node)
        first.product.input[1], first.product.input[3] = f"{name}.weights", f"{name}.zeros"
        _exchange(first.scale, weights, f"{name}.scales")
        _exchange(first.add, weights, f"{name}.bias")
        first.add.output[0] = f"{name}.all"
        split = helper.make_node("Split", [f"{name}.all", f"{name}.sizes"], outputs, f"{name}/Split", axis=-1)
        graph.node.append(split)
    _drop_unused(graph)
    _sort(graph)


def fuse_attention(model: onnx.ModelProto, heads: int) -> None:
    """Attention by ONNX Runtime's own operator, MultiHeadAttention, which takes the mask as int32 (B, S)."""
    graph = model.graph
    mask = _int_mask(graph)
    for softmax, sources, end in list(_attentions(graph)):
        name = f"{softmax.name}.fused"
        fused = helper.make_node("MultiHeadAttention", [*sources, "", mask], [end.output[0]], name, **_attended(heads))
        graph.node.append(fused)
        graph.node.remove(end)
    _own_operators(model)


def fuse_products(model: onnx.ModelProto, heads: int) -> None:
    """Attention with the products of its queries, keys and values by ONNX Runtime's own operator, QAttention.

    The last layer stays as it is: its queries are of [CLS] alone, and QAttention reads one tensor.
    """
    graph = model.graph
    made = {name: node for node in graph.node for name in node.output}
    weights, chains = _weights(graph), {chain.add.output[0]: chain for chain in _chains(graph)}
    mask = _int_mask(graph)
    for number, (_, sources, end) in enumerate(list(_attentions(graph))):
        read = [chains[name] for name in sources]
        if len({chain.product.input[0] for chain in read}) == 1:
            name = f"attended.{number}"
            _join(graph, read, weights, name)
            values, scale, zero = made[read[0].product.input[0]].output
            inputs = [values, f"{name}.weights", f"{name}.bias", scale, f"{name}.scales", mask, zero, f"{name}.zeros"]
            graph.node.append(helper.make_node("QAttention", inputs, [end.output[0]], name, **_attended(heads)))
            graph.node.remove(end)
    _own_operators(model)


def _both(model: onnx.ModelProto, heads: int) -> None:
    drop_mask(model)
    fuse_products(model, heads)


def drop_mask(model: onnx.ModelProto) -> None:
    """Add nothing to scores: right where no row of a batch is padded."""
    graph = model.graph
    made = {name: node for node in graph.node for name in node.output}
    for softmax in [node for node in graph.node if node.op_type == "Softmax"]:
        softmax.input[0] = _scaled(made, softmax).output[0]
    _drop_unused(graph)


def one_input(model: onnx.ModelProto) -> None:
    """Neither mask nor segments are read: every token is of the first segment."""
    drop_mask(model)
    graph = model.graph
    found = next(node for node in graph.node if node.op_type == "Gather" and node.input[1] == _TYPES)
    table = next(tensor for tensor in graph.initializer if tensor.name == found.input[0])
    row = numpy_helper.from_array(numpy_helper.to_array(table)[:1][None], found.output[0])
    graph.node.remove(found)
    graph.initializer.append(row)
    for node in graph.node:  # what read the sizes of the segments reads those of the ids
        node.input[:] = ["input_ids" if name == _TYPES else name for name in node.input]
    _drop_unused(graph)


def _library_fusion(fp32: Path, out: Path, heads: int) -> None:
    """What `onnxruntime.transformers.optimizer` finds to fuse."""
    from onnxruntime.transformers.optimizer import optimize_model

    fused = optimize_model(str(fp32), model_type="bert", num_heads=heads, hidden_size=0, opt_level=0)
    fused.save_model_to_file(str(out))


def _static(fp32: Path, out: Path) -> None:
    """QDQ with scales found once, on random tokens: for speed alone, so what they are makes no difference."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    names = [value.name for value in onnx.load(fp32, load_external_data=False).graph.input]

    class Random(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.batches = self._batches()

        def _batches(self) -> Iterator[dict[str, Any]]:
            chance = np.random.default_rng(1)
            for _ in range(4):
                ids = chance.integers(1, 10, (2, 25))
                held = {"input_ids": ids, _MASK: np.ones_like(ids), _TYPES: np.zeros_like(ids)}
                yield {name: held[name] for name in names}

        def get_next(self) -> dict[str, Any] | None:
            return next(self.batches, None)

    model = onnx.load(fp32)
    quantize_static(
        model,
        str(out),
        Random(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        nodes_to_quantize=[product.name for product in int8.products(fp32)],
        op_types_to_quantize=["MatMul"],
        extra_options={"MatMulConstBOnly": True},
    )
    written = onnx.load(out)
    int8_graph.speed_up(written)
    onnx.save(written, out)


class _Chain(NamedTuple):
    """The nodes of one product of weights: u8 × s8 to int32, to floats, their scale, the scaled, with the bias."""

    product: onnx.NodeProto
    cast: onnx.NodeProto
    scale: onnx.NodeProto
    scaled: onnx.NodeProto
    add: onnx.NodeProto


def _chains(graph: onnx.GraphProto) -> Iterator[_Chain]:
    users = _users(graph)
    made = {name: node for node in graph.node for name in node.output}
    for product in [node for node in graph.node if node.op_type == "MatMulInteger"]:
        (cast,) = users[product.output[0]]
        (scaled,) = users[cast.output[0]]
        scale = next(made[name] for name in scaled.input if made[name] is not cast)
        yield _Chain(product, cast, scale, scaled, users[scaled.output[0]][0])


def _join(graph: onnx.GraphProto, chains: Sequence[_Chain], weights: Mapping[str, Any], name: str) -> None:
    """Store the weights of several products side by side: NAME.weights, NAME.zeros, NAME.scales, NAME.bias."""
    joined = {
        "weights": np.concatenate([weights[chain.product.input[1]] for chain in chains], 1),
        "zeros": np.concatenate([weights[chain.product.input[3]] for chain in chains]),
        "scales": np.concatenate([weights[_stored(chain.scale, weights)] for chain in chains]),
        "bias": np.concatenate([weights[_stored(chain.add, weights)] for chain in chains]),
    }
    graph.initializer.extend(numpy_helper.from_array(value, f"{name}.{key}") for key, value in joined.items())


def _attentions(graph: onnx.GraphProto) -> Iterator[tuple[onnx.NodeProto, list[str], onnx.NodeProto]]:
    """Each softmax; its queries, keys and values (B, S, H), before heads; the node that gives the context so again."""
    made = {name: node for node in graph.node for name in node.output}
    users = _users(graph)
    for softmax in [node for node in graph.node if node.op_type == "Softmax"]:
        scores = next(made[name] for name in _scaled(made, softmax).input if name in made)
        (context,) = users[softmax.output[0]]
        (transposed,) = users[context.output[0]]
        sources = [_before_heads(made, name) for name in (*scores.input, context.input[1])]
        yield softmax, sources, users[transposed.output[0]][0]


def _scaled(made: Mapping[str, onnx.NodeProto], softmax: onnx.NodeProto) -> onnx.NodeProto:
    """The Mul that scales scores, with or without a mask added to it."""
    above = made[softmax.input[0]]
    return above if above.op_type == "Mul" else next(made[name] for name in above.input if made[name].op_type == "Mul")


def _int_mask(graph: onnx.GraphProto) -> str:
    """The mask as ONNX Runtime's own operators read it; empty, which they take for none, in a graph without one."""
    if _MASK not in {value.name for value in graph.input}:
        return ""
    graph.node.insert(0, helper.make_node("Cast", [_MASK], ["int_mask"], "int_mask", to=onnx.TensorProto.INT32))
    return "int_mask"


def _attended(heads: int) -> dict[str, Any]:
    return {"domain": _MICROSOFT, "num_heads": heads, "mask_filter_value": float(np.finfo(np.float32).min)}


def _own_operators(model: onnx.ModelProto) -> None:
    """Let a graph have operators of ONNX Runtime, and keep what it needs, in order."""
    model.opset_import.append(helper.make_opsetid(_MICROSOFT, 1))
    _drop_unused(model.graph)
    _sort(model.graph)


def _weights(graph: onnx.GraphProto) -> dict[str, Any]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def _before_heads(made: Mapping[str, onnx.NodeProto], name: str) -> str:
    """What was split into heads, (B, S, H): in front of Reshape and Transpose."""
    return made[made[name].input[0]].input[0]


def _stored(node: onnx.NodeProto, weights: Mapping[str, Any]) -> str:
    return next(name for name in node.input if name in weights)


def _exchange(node: onnx.NodeProto, weights: Mapping[str, Any], name: str) -> None:
    node.input[list(node.input).index(_stored(node, weights))] = name


def _users(graph: onnx.GraphProto) -> dict[str, list[onnx.NodeProto]]:
    users: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    return users


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Remove nodes, weights and inputs that no output needs."""
    needed = {value.name for value in graph.output}
    before = -1
    while len(needed) != before:
        before = len(needed)
        for node in graph.node:
            if needed & {*node.output}:
                needed |= {*node.input}
    for field in (graph.initializer, graph.input):
        for item in [item for item in field if item.name not in needed]:
            field.remove(item)  # type: ignore[arg-type]
    for node in [node for node in graph.node if not needed & {*node.output}]:
        graph.node.remove(node)


def _sort(graph: onnx.GraphProto) -> None:
    """Put nodes behind those that they read."""
    known = {item.name for item in [*graph.input, *graph.initializer]} | {""}
    left, ordered = list(graph.node), []
    while left:
        ready = [node for node in left if known >= {*node.input}]
        assert ready, "a graph without cycles has a node that is ready"
        ordered += ready
        known |= {name for node in ready for name in node.output}
        left = [node for node in left if not known >= {*node.output}]
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in ordered]
    del graph.node[:]
    graph.node.extend(copies)
