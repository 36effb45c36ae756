"""What the targets in half precision share: their graph, made from the fp32 file and real records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, PositiveFloat

from distill.core.config_values import Share
from distill.core.errors import UserError
from distill.core.files import replacing
from export.targets.base import Criterion, Source, Target

_SHOWN = 5


class HalfTarget(Target):
    """A target whose products of weights and activations are in half precision, with fp32 around what would suffer.

    LayerNormalization, Softmax and the mask that is added before it compute in fp32, and so does every other node that
    meets a value which half precision cannot hold; the casts are in the graph. Logits are fp32.
    """

    criterion: ClassVar[Criterion] = "tolerance"
    batch_invariant: ClassVar[bool] = True
    starts_from: ClassVar[str | None] = "onnx_fp32"

    tolerance: PositiveFloat = Field(description="largest difference of a logit from the trained model's")
    keep_fp32: list[str] = Field(default_factory=list, description="patterns of node names that stay fp32")
    largest_share: Share = Field(
        0.5,
        description="of the largest number that the precision holds: from there on an activation of real records keeps "
        "its nodes in fp32, or stops the export where it is a product's",
    )

    def require(self, model: Any) -> None:
        """Check that the encoder has products of weights: SqueezeBERT has convolutions in their place."""
        from torch import nn
        from transformers.pytorch_utils import Conv1D  # GPT-2's name for a linear layer

        if not any(isinstance(part, nn.Linear | Conv1D) for part in model.base_model.modules()):
            raise UserError(
                f"{self.precision} has nothing to compute in this family",
                where=f"export: {self.name}",
                found=f"model_type '{model.config.model_type}'",
                do="take the target out of export, or an encoder with linear layers",
            )

    def write_graph(self, source: Source, folder: Path) -> tuple[dict[str, Any], Mapping[int, int]]:
        """Record activations of real records in fp32, and write the strongly typed graph that can hold them.

        Returns: for `parity.json` `tolerance`; `types`: how many nodes are halved, and how many kept by reason;
            `activations`: the largest ones that are halved, with their nodes, and what of fp16's range they take. And
            the lengths of the records' windows, with how often.
        Raises: UserError as `plan`.
        """
        import onnx

        from export.activations import Recorder
        from export.strong_types import plan, strongly_typed
        from export.targets.onnx_fp32 import OnnxFp32

        assert source.base is not None
        fp32 = source.base / OnnxFp32.model
        model, recorder = onnx.load(fp32), Recorder(fp32)
        source.flips(recorder)
        chosen = plan(
            model, self.precision, largest=recorder.largest, share=self.largest_share, keep_fp32=self.keep_fp32
        )
        with replacing(folder / self.model) as partial:
            partial.write_bytes(strongly_typed(model, chosen).SerializeToString(deterministic=True))
        found = {
            "tolerance": self.tolerance,
            "types": {"halved": len(chosen.halved), "kept_fp32": dict(Counter(chosen.kept.values()))},
            "activations": _halved_activations(model, chosen.halved, recorder.largest),
        }
        return found, recorder.lengths

    def entry(self, folder: Path) -> dict[str, Any]:
        """With how far a logit may be off, wherever the file runs."""
        return {**super().entry(folder), "tolerance": self.tolerance}


def _halved_activations(model: Any, halved: frozenset[str], largest: Mapping[str, float]) -> dict[str, Any]:
    """The largest values that nodes in half precision write, on real records."""
    from export.strong_types import LARGEST

    made = {node.name: max(largest.get(name, 0.0) for name in node.output) for node in model.graph.node}
    found = sorted(((made[name], name) for name in halved), reverse=True)
    return {
        "share_of_fp16": found[0][0] / LARGEST["fp16"],
        "largest": [{"node": name, "value": value} for value, name in found[:_SHOWN]],
    }
