"""One ONNX file in full precision: standard operators only, so any ONNX runtime reads it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from export.targets.base import Criterion, Source, Target


class OnnxFp32(Target):
    """fp32 in ONNX Runtime on processors; other targets start from its file."""

    precision: ClassVar[str] = "fp32"
    criterion: ClassVar[Criterion] = "parity"
    batch_invariant: ClassVar[bool] = True
    file: ClassVar[str] = "model.onnx"

    def build(self, source: Source, folder: Path) -> Mapping[str, Any]:
        """Trace the PyTorch model into `folder`."""
        from export import to_onnx

        to_onnx.export_fp32(source.model_folder, folder / self.model)
        return {}
