"""A classifier folder as one fp32 ONNX file: standard operators, free batch and sequence axes, reproducible bytes."""

from __future__ import annotations

import ast
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx
import torch

from distill.core.errors import UserError
from distill.core.files import replacing, sha256
from distill.core.protobuf import MOST_BYTES
from distill.core.quiet import quiet
from distill.core.view import View
from distill.models.encoder import input_names, labels_of, load_classifier
from distill.models.first_token import first_token_only

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# The first opset with both LayerNormalization (17) and Gelu (20) as single standard operators.
OPSET = 20
_AXES = ("batch", "sequence")
_STANDARD_DOMAINS = {"", "ai.onnx"}


def export_fp32(model_folder: Path, out: Path) -> None:
    """Write `model_folder` as one ONNX file.

    Inputs: input_ids, attention_mask and, where the model reads them, token_type_ids, int64 (B, S). Output: logits,
    float32 (B, C). The file's metadata holds the labels in order, the view's hash and the weights' SHA-256.

    Raises: UserError when the family cannot be exported, or the file would pass protobuf's 2 GB.
    """
    # Eager attention: fused attention in PyTorch leaves mask arithmetic in the graph that no optimiser undoes.
    model = load_classifier(model_folder, attention="eager")
    first_token_only(model)
    finish(_convert(model, model_folder), model, model_folder, out)


def finish(proto: onnx.ModelProto, model: PreTrainedModel, model_folder: Path, out: Path) -> None:
    """Write an exporter's graph as `export_fp32` does: named, with its metadata, once it is found to be portable.

    Args: model: what it was made from, of `model_folder`. Raises: UserError when it is not portable.
    """
    _tidy(proto)
    onnx.helper.set_model_props(proto, _provenance(model, model_folder))
    _require_portable(proto, model_folder)
    save(proto, out)


def save(proto: onnx.ModelProto, out: Path) -> None:
    """Write a model to one file, atomically and with equal bytes for equal models."""
    with replacing(out) as partial:
        partial.write_bytes(proto.SerializeToString(deterministic=True))


def _convert(model: PreTrainedModel, model_folder: Path) -> onnx.ModelProto:
    """The traced and optimised graph, as the exporter leaves it."""
    from onnx_ir import to_proto

    sample = _sample(input_names(model))
    axes = {name: {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC} for name in sample}
    trace = _trace_plainly if getattr(model, "plain_export", False) else _trace
    try:
        with quiet():
            return to_proto(trace(model, sample, axes))
    except Exception as error:  # the exporter raises errors of many kinds for what it cannot trace
        raise UserError(
            f"the ONNX exporter cannot export the family '{model.config.model_type}'",
            where=str(model_folder),
            found=next(iter(str(error).splitlines()), type(error).__name__),
            do="choose a checkpoint of another family, or leave this model out of the export",
        ) from error


def _trace(model: PreTrainedModel, sample: dict[str, torch.Tensor], axes: dict[str, Any]) -> Any:
    """An encoder by transformers' exporter, which makes its masks and caches traceable."""
    from transformers.exporters import OnnxConfig, OnnxExporter  # type: ignore[attr-defined]

    config = OnnxConfig(dynamic=True, dynamic_shapes=axes, opset_version=OPSET)
    return OnnxExporter().export(model, {**sample}, config=config).program


def _trace_plainly(model: PreTrainedModel, sample: dict[str, torch.Tensor], axes: dict[str, Any]) -> Any:
    """A classifier of ours by PyTorch's exporter: under transformers' an LSTM is unrolled to the sample's length.

    PyTorch's own (2.13) swaps the LSTM's decomposition for a loop and back, but keeps in a cache which one it looked up
    last; from the second export of a process on that would be the unrolled one.
    """
    looked_up = torch.ops.aten.lstm.input._dispatch_cache
    looked_up.clear()
    program = torch.onnx.export(
        model,
        kwargs=sample,
        dynamic_shapes=axes,
        dynamo=True,
        opset_version=OPSET,
        input_names=list(sample),
        output_names=["logits"],
        verbose=False,
    )
    looked_up.clear()
    assert program is not None
    return program.model


def _sample(names: list[str]) -> dict[str, torch.Tensor]:
    """Inputs to trace with: sizes apart from each other and from 1, which the tracer would take for constants.

    Each input is a tensor of its own: the tracer reads one tensor given twice as one input, without a word.
    """
    values = {"input_ids": 3, "attention_mask": 1, "token_type_ids": 0}
    return {name: torch.full((2, 7), values[name]) for name in names}


def _tidy(proto: onnx.ModelProto) -> None:
    """Name axes and nodes, and drop the exporter's notes: stack traces with this machine's paths, inferred shapes."""
    for value in [*proto.graph.input, *proto.graph.output]:
        for dim, axis in zip(value.type.tensor_type.shape.dim, _AXES, strict=False):
            if dim.dim_param:
                dim.dim_param = axis
        del value.metadata_props[:]
    _name_nodes(proto.graph)
    # Runtimes infer shapes themselves; these carry the tracer's axis names and stop ONNX Runtime's quantiser.
    for notes in (proto.graph.value_info, proto.graph.metadata_props, proto.metadata_props):
        del notes[:]
    for item in [*proto.graph.node, *proto.graph.initializer]:
        del item.metadata_props[:]
        item.doc_string = ""


def _name_nodes(graph: onnx.GraphProto) -> None:
    """Name each node after its module and operator: `bert.encoder.layer.0.output.dense/MatMul`, then `…/MatMul_1`."""
    seen: Counter[str] = Counter()
    for node in graph.node:
        name = f"{_module(node)}/{node.op_type}"
        node.name = f"{name}_{seen[name]}" if seen[name] else name
        seen[name] += 1


def _module(node: onnx.NodeProto) -> str:
    """The dotted name of the module that ran a traced operation; empty where the exporter does not say."""
    scopes = {item.key: item.value for item in node.metadata_props}.get("pkg.torch.onnx.name_scopes")
    if scopes is None:
        # TorchScript's exporter: /bert/encoder/layer.0/output/dense/MatMul
        return ".".join(node.name.split("/")[1:-1])
    # The last scope is the traced operation, the one before it the module that ran it.
    found: str = ([""] + ast.literal_eval(scopes))[-2]
    return found


def _provenance(model: PreTrainedModel, model_folder: Path) -> dict[str, str]:
    return {
        "labels": json.dumps(labels_of(model), ensure_ascii=False),
        "view_hash": View.load(model_folder).hash,
        "source_sha256": sha256(model_folder / "model.safetensors"),
    }


def _require_portable(proto: onnx.ModelProto, model_folder: Path) -> None:
    """Refuse a graph that another runtime could not read, or that only fits the sample it was traced with."""
    found: Any = None
    domains = {node.domain for node in proto.graph.node} - _STANDARD_DOMAINS
    outputs = [value.name for value in proto.graph.output]
    frozen = [value.name for value in proto.graph.input if not _is_free(value)]
    if domains or proto.functions:
        found = f"operators outside the ONNX standard: {', '.join(sorted(domains)) or 'local functions'}"
    elif outputs != ["logits"]:
        found = f"outputs other than logits: {', '.join(outputs)}"
    elif frozen:
        found = f"a fixed batch or sequence axis in {', '.join(frozen)}"
    elif proto.ByteSize() > MOST_BYTES:
        found = f"{proto.ByteSize() / 1e9:.1f} GB, over the 2 GB of one ONNX file"
    if found:
        raise UserError("the model cannot leave as one portable ONNX file", where=str(model_folder), found=found)
    onnx.checker.check_model(proto, full_check=True)


def _is_free(value: onnx.ValueInfoProto) -> bool:
    return [dim.dim_param for dim in value.type.tensor_type.shape.dim] == list(_AXES)
