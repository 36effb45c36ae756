"""An exported file on its way into a bundle, with what was chosen and measured for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Artifact:
    """One exported file with what was measured on it.

    Attributes:
        target: name of the export preset. precision: `fp32`, `int8`.
        folder: holds `model.onnx` and `parity.json`.
        temperature: T that makes softmax(logits / T) honest, fitted on validation.
        operating_points: name to least probability *after* the temperature, chosen on validation; None if not reached.
        quality: split name to the quality block of report.json, measured with this file.
    """

    target: str
    precision: str
    folder: Path
    temperature: float = 1.0
    operating_points: Mapping[str, float | None] = field(default_factory=dict)
    quality: Mapping[str, Any] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """The model's name inside a bundle."""
        return "model.onnx" if self.precision == "fp32" else f"model.{self.precision}.onnx"
