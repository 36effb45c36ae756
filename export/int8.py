"""Dynamic int8 of an exported fp32 model: 8-bit weights and activations, the activations' scales found on the fly."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from distill.core.errors import UserError
from distill.core.files import replacing
from distill.core.quiet import quiet
from export import int8_graph

SPLIT = "_MatMul"
"""Ending of the name that the quantiser gives a product with a bias when it splits it."""


@dataclass(frozen=True)
class Product:
    """A MatMul with constant weights (rows, columns), which maps `rows` channels to `columns`: what int8 replaces.

    Attributes: reads: name of the tensor that it multiplies. weight: name of its weights.
    """

    name: str
    rows: int
    columns: int
    reads: str
    weight: str


def quantise(
    fp32: Path, out: Path, *, keep_fp32: Collection[str] = (), reduce_range: bool = False, faster: bool = True
) -> dict[str, Any]:
    """Write the int8 form of an fp32 ONNX file: U8 activations × S8 weights with a scale per output channel.

    Only products with constant weights are replaced; attention's own products, the pooler and the head stay fp32.

    Args: keep_fp32: names of products that stay fp32, too. reduce_range: 7-bit weights, for processors where the sum
        of two 8-bit products saturates. faster: give the graph the form that runs faster; the benchmark compares both.
    Returns: what of the graph has the faster form, see `int8_graph.speed_up`.
    Raises: UserError for weights that are NaN or infinite.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = onnx.load(fp32)
    replaced = [product.name for product in products(fp32) if product.name not in keep_fp32]
    assert replaced, "an empty list would mean every product, the head's among them"
    _require_finite(model, fp32)
    # Shapes stored by an exporter clash with those that the quantiser infers, and stop it.
    del model.graph.value_info[:]
    with replacing(out) as partial, quiet():
        # The model, not its path: given a path, the quantiser writes a scratch file next to it.
        quantize_dynamic(
            model,
            partial,
            per_channel=True,
            reduce_range=reduce_range,
            weight_type=QuantType.QInt8,
            # By name: the quantiser would rewrite the pooler and the head as MatMuls and replace them, too.
            nodes_to_quantize=replaced,
            op_types_to_quantize=["MatMul"],
            extra_options={"MatMulConstBOnly": True},
        )
        quantised = onnx.load(partial)
        done = int8_graph.speed_up(quantised) if faster else {}
        partial.write_bytes(quantised.SerializeToString(deterministic=True))
    return done


def _require_finite(model: onnx.ModelProto, where: Path) -> None:
    """Check that every weight has a scale. Raises: UserError naming the first tensor that has none."""
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) == 2:
            if not np.isfinite(onnx.numpy_helper.to_array(tensor)).all():
                do = "train again at a lower learning rate, or export it again"
                raise UserError("weights are NaN or infinite", where=str(where), found=tensor.name, do=do)


def products(fp32: Path) -> list[Product]:
    """The products with constant weights, in the graph's order."""
    graph = onnx.load(fp32).graph
    shapes = {tensor.name: tensor.dims for tensor in graph.initializer if len(tensor.dims) == 2}
    named = ((_product_name(node), node) for node in graph.node)
    return [
        Product(name, *shapes[node.input[1]], *node.input[:2])
        for name, node in named
        if name and node.input[1] in shapes
    ]


def _product_name(node: onnx.NodeProto) -> str | None:
    """What the quantiser calls a product of a layer; None for other operators, and for the pooler's and the head's.

    Those two multiply by a transposed matrix. GPT-2's layers have products with a bias that do not, which the quantiser
    splits into a MatMul of another name and an Add.
    """
    if node.op_type == "MatMul":
        return node.name
    transposed = any(item.name == "transB" and item.i for item in node.attribute)
    return f"{node.name}{SPLIT}" if node.op_type == "Gemm" and not transposed else None


def rungs(fp32: Path, always: Sequence[str] = ()) -> dict[str, list[str]]:
    """A ladder of what stays fp32 (rung to product names), from nothing to the most sensitive products.

    The inputs of the feed-forward outputs have the widest outliers, and the first layer's error passes through all
    others. Measured on fine-tuned 6-layer MiniLM, 1,750 product pairs, flipped labels of each rung: 0.97%, 0.57%,
    0.51%, 0.46%.

    Args: always: patterns of product names (`*.layer.5.*`) that stay fp32 on every rung.
    Raises: UserError when a pattern matches no product, or the patterns leave nothing to quantise.
    """
    every = products(fp32)
    fixed = _matching([product.name for product in every], always, fp32)
    # Only feed-forward outputs have fewer columns than rows; the first one ends the first layer.
    outputs = [product.name for product in every if product.columns < product.rows]
    names = [product.name for product in every]
    first = names[: names.index(outputs[0]) + 1] if outputs else []
    ladder = {
        "all": fixed,
        "keep_first_layer": [*fixed, *first],
        "keep_ffn_outputs": [*fixed, *outputs],
        "keep_first_layer_and_ffn_outputs": [*fixed, *first, *outputs],
    }
    return {rung: kept for rung, kept in ladder.items() if rung == "all" or set(fixed) < set(kept) < set(names)}


def _matching(names: Sequence[str], patterns: Sequence[str], where: Path) -> list[str]:
    idle = [pattern for pattern in patterns if not any(fnmatchcase(name, pattern) for name in names)]
    if idle:
        known = f"use patterns of names such as {', '.join(names[:3])}"
        raise UserError("keep_fp32: no MatMul has such a name", where=str(where), found=", ".join(idle), do=known)
    kept = [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]
    if len(kept) == len(names):
        raise UserError("nothing is left to quantise", where=str(where), do="use the target onnx, which is fp32")
    return kept
