"""One ONNX file in full precision: standard operators only, so any ONNX runtime reads it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, model_validator

from distill.inference.providers import CPU, CUDA
from export.exporters import known_exporters
from export.exporters.base import Exporter
from export.targets.base import Criterion, Source, Target
from export.verify import GPU_TOLERANCE


class OnnxFp32(Target):
    """fp32 in ONNX Runtime, on processors and on CUDA; other targets start from its file."""

    precision: ClassVar[str] = "fp32"
    criterion: ClassVar[Criterion] = "parity"
    batch_invariant: ClassVar[bool] = True
    providers: ClassVar[tuple[str, ...]] = (CUDA, CPU)
    tolerances: ClassVar[Mapping[str, float]] = {CUDA: GPU_TOLERANCE}
    file: ClassVar[str] = "model.onnx"

    exporter: str = Field("transformers", description="what traces the model, a class in export/exporters")
    exporter_python: str | None = Field(
        None, description="interpreter of the exporter's environment, where it has one of its own, as optimum has"
    )

    @model_validator(mode="after")
    def _exporter_and_its_python(self) -> OnnxFp32:
        known = known_exporters()
        if self.exporter not in known:
            raise ValueError(f"exporter: unknown '{self.exporter}', known: {', '.join(sorted(known))}")
        if known[self.exporter].apart and not self.exporter_python:
            why = f"{self.exporter} runs in an environment of its own"
            raise ValueError(f"exporter_python: {why}; name its Python (requirements/{self.exporter}.txt makes it)")
        if self.exporter_python and not known[self.exporter].apart:
            raise ValueError(f"exporter_python: {self.exporter} runs in this environment; remove it")
        return self

    def as_fingerprint(self, *leave_out: str) -> dict[str, Any]:
        """Not where the other environment is: an export stays as it is when that has moved."""
        return super().as_fingerprint(*leave_out, "exporter_python")

    def require(self, model: Any) -> None:
        """Check that the exporter can trace the family."""
        self._exporter().require(model)

    def build(self, source: Source, folder: Path) -> Mapping[str, Any]:
        """Trace the PyTorch model into `folder`."""
        return self._exporter().export(source.model_folder, folder / self.model)

    def _exporter(self) -> Exporter:
        return known_exporters()[self.exporter](f"export: {self.name}", self.exporter_python)
