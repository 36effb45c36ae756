"""Dynamic int8 for processors: 8-bit weights with a scale per channel, activations scaled as they come."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from distill.core.config_values import Share
from distill.core.errors import UserError
from export.targets.base import Criterion, Source, Target


class OnnxInt8Dynamic(Target):
    """int8 in ONNX Runtime on processors. Its activation scale is taken over the whole input, so rows must not share a
    run; and it rounds as the processor does, so its logits hold on one class of processor only.
    """

    precision: ClassVar[str] = "int8"
    criterion: ClassVar[Criterion] = "decisions"
    batch_invariant: ClassVar[bool] = False
    quantises: ClassVar[bool] = True
    elsewhere: ClassVar[str] = (
        "its integer products have no kernels on a GPU and would go back and forth to the processor, many times slower"
    )
    file: ClassVar[str] = "model.int8.onnx"
    chooses: ClassVar[bool] = True
    starts_from: ClassVar[str | None] = "onnx_fp32"

    keep_fp32: list[str] = Field(default_factory=list, description="patterns of MatMul names that stay fp32")
    max_flips: Share = Field(
        0.0075, description="leave more in fp32 until no larger share of labels changes; 1 leaves nothing"
    )
    reduce_range: bool = Field(
        False, description="7-bit weights, for processors without VNNI, where 8-bit sums saturate"
    )

    def require(self, model: Any) -> None:
        """Check that the encoder has products to quantise: SqueezeBERT has convolutions in their place."""
        from torch import nn
        from transformers.pytorch_utils import Conv1D  # GPT-2's name for a linear layer

        parts = model.base_model.named_modules()
        if not any(isinstance(part, nn.Linear | Conv1D) for name, part in parts if not name.startswith("pooler")):
            raise UserError(
                "int8 has nothing to quantise in this family",
                where=f"export: {self.name}",
                found=f"model_type '{model.config.model_type}'",
                do="take the target out of export, or an encoder with linear layers",
            )

    def build(self, source: Source, folder: Path) -> Mapping[str, Any]:
        """Write the first int8 form that changes few enough labels, or else the one that changes the fewest.

        Returns: `rung`, the one taken, `rungs`, the label flips of each that was tried, and `graph`, what of the file
            has the form that runs faster.
        """
        from export import int8
        from export.targets.onnx_fp32 import OnnxFp32

        assert source.base is not None
        fp32, out = source.base / OnnxFp32.model, folder / self.model
        rungs, flips = int8.rungs(fp32, self.keep_fp32), dict[str, float]()
        for rung, kept in rungs.items():
            graph = int8.quantise(fp32, out, keep_fp32=kept, reduce_range=self.reduce_range)
            flips[rung] = source.flips(self.open(folder))
            if flips[rung] <= self.max_flips:
                return {"rung": rung, "rungs": flips, "graph": graph}
        rung = min(flips, key=lambda name: flips[name])
        graph = int8.quantise(fp32, out, keep_fp32=rungs[rung], reduce_range=self.reduce_range)
        return {"rung": rung, "rungs": flips, "graph": graph}

    @classmethod
    def limits(cls, cpu: str) -> list[str]:
        """Why it reads one window per run, and why labels change on other processors."""
        return [
            "- int8 scales activations over the whole input: batched or padded, a record's logits would depend on its",
            "  neighbours, so runtime.py sends one window per run. On a GPU int8 is many times slower than fp32.",
            f"- int8 rounds as the processor does. Recorded on `{cpu}`; without VNNI instructions its sums can",
            "  saturate and labels change, so run the check on the machine that serves.",
        ]
