"""The toolkit's own exporter, in this process: transformers' and PyTorch's tracers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from distill.core.errors import UserError
from distill.models.two_layer_head import model_type_of
from export.exporters.base import Exporter

UNTRACEABLE = ("longformer",)
"""Families that make another graph for each length, by `model_type`."""


class Transformers(Exporter):
    """`distill.models.to_onnx`: the last layer computed for the first token only, where that is exact."""

    name: ClassVar[str] = "transformers"
    apart: ClassVar[bool] = False

    def require(self, model: Any) -> None:
        """Check that the family is none of those that the exporter is known to fail on."""
        if model_type_of(model.config) in UNTRACEABLE:
            raise UserError(
                "the ONNX exporter cannot export this family",
                where=self.where,
                found=f"model_type '{model.config.model_type}', whose forward pass depends on the length of its input",
                do="take an encoder of another family (docs/families.md); labels alone need no export: distill label",
            )

    def export(self, model_folder: Path, out: Path) -> Mapping[str, Any]:
        """Trace the PyTorch model; the bundle's manifest names this environment's versions already."""
        from distill.models import to_onnx

        to_onnx.export_fp32(model_folder, out)
        return {}
