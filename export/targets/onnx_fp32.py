"""One ONNX file in full precision: standard operators only, so any ONNX runtime reads it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from distill.core.errors import UserError
from distill.models.two_layer_head import family_of
from export.targets.base import Criterion, Source, Target

MOST_BYTES = 2**31 - 1
"""Of one file, by protobuf."""
UNTRACEABLE = ("longformer",)
"""Families that make another graph for each length, by `model_type`."""


class OnnxFp32(Target):
    """fp32 in ONNX Runtime on processors; other targets start from its file."""

    precision: ClassVar[str] = "fp32"
    criterion: ClassVar[Criterion] = "parity"
    batch_invariant: ClassVar[bool] = True
    file: ClassVar[str] = "model.onnx"

    def require(self, model: Any) -> None:
        """Check that the family is none of those that the exporter is known to fail on."""
        if family_of(model.config) in UNTRACEABLE:
            raise UserError(
                "the ONNX exporter cannot export this family",
                where=f"export: {self.name}",
                found=f"model_type '{model.config.model_type}', whose forward pass depends on the length of its input",
                do="take an encoder of another family (docs/families.md); labels alone need no export: distill label",
            )

    def build(self, source: Source, folder: Path) -> Mapping[str, Any]:
        """Trace the PyTorch model into `folder`."""
        from export import to_onnx

        to_onnx.export_fp32(source.model_folder, folder / self.model)
        return {}
