"""Static int8 for processors of a student that was trained further with rounded layers, at the scales it learnt."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from distill.core.errors import UserError
from distill.core.files import sha256
from distill.models.two_layer_head import PREFIX
from export.int8_target import Int8
from export.quantised_fit import QuantisedFit
from export.targets.base import Source

_POSITIONS = "some of its layers read positions alone, or texts and positions by turns"
_RELATIVE = ("deberta", "deberta-v2")


class OnnxInt8Qat(Int8):
    """int8 in ONNX Runtime on processors, by quantisation-aware training: scales in the file, rows may share a run."""

    batch_invariant: ClassVar[bool] = True
    file: ClassVar[str] = "model.int8-qat.onnx"
    refits: ClassVar[bool] = True
    chooses: ClassVar[bool] = False

    fit: QuantisedFit = Field(QuantisedFit(), description="how the student is trained further")

    def require(self, model: Any) -> None:
        """Check that the encoder has layers to round, each of which reads one tensor of the file."""
        super().require(model)
        self.require_config(model.config.to_dict())

    def require_config(self, config: Mapping[str, Any]) -> None:
        """The same by a student's `config.json`. Raises: UserError."""
        if problem := self.problem_with(config):
            raise UserError(
                "int8 by training with rounded layers is not there for this family",
                where=f"export: {self.name}",
                found=problem,
                do="take another int8 target (onnx-int8, onnx-int8-static)",
            )

    def problem_with(self, config: Mapping[str, Any]) -> str | None:
        """Families whose layers cannot round as those of their file do."""
        kind = str(config.get("model_type")).removeprefix(PREFIX)
        if kind == "gpt2":
            return f"model_type '{kind}': its layers are of a kind of their own (Conv1D)"
        if kind in _RELATIVE and config.get("relative_attention"):
            return f"model_type '{kind}': {_POSITIONS}"
        return None

    def build(self, source: Source, folder: Path) -> Mapping[str, Any]:
        """Write the int8 form at the scales that training left."""
        from export import int8, int8_static
        from export.learnt_scales import learnt_scales
        from export.targets.onnx_fp32 import OnnxFp32

        assert source.base is not None and source.refitted is not None
        fp32 = source.base / OnnxFp32.model
        scales = learnt_scales(fp32, source.refitted)
        kept = [*int8.rungs(fp32, self.keep_fp32)["all"], *scales.others]
        # Bundles know their files by the student's weights.
        weights = {"source_sha256": source.model_folder, "refitted_sha256": source.refitted}
        graph = int8_static.quantise(
            fp32,
            folder / self.model,
            scales.of_tensors,
            keep_fp32=kept,
            reduce_range=self.reduce_range,
            notes={name: sha256(place / "model.safetensors") for name, place in weights.items()},
        )
        return {"graph": graph}
