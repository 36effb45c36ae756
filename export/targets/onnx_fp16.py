"""One ONNX file in half precision, fp16, with fp32 where fp16 would suffer: for GPUs, and half the bytes anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from distill.inference.providers import CPU, CUDA
from export.half_target import HalfTarget
from export.targets.base import Source


class OnnxFp16(HalfTarget):
    """fp16 in ONNX Runtime. On x86 processors it computes in fp32 between casts, and is no faster than fp32."""

    precision: ClassVar[str] = "fp16"
    providers: ClassVar[tuple[str, ...]] = (CUDA, CPU)
    file: ClassVar[str] = "model.fp16.onnx"

    def build(self, source: Source, folder: Path) -> Mapping[str, Any]:
        """Write the strongly typed graph, see `HalfTarget.write_graph`."""
        return self.write_graph(source, folder)[0]
