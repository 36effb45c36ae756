"""One ONNX file in full precision for CUDA: layers fused into ONNX Runtime's own operators where logits stay."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, PositiveFloat

from distill.inference.providers import CPU, CUDA
from export.targets.base import Criterion, Source, Target
from export.verify import GPU_TOLERANCE


class OnnxCuda(Target):
    """fp32 in ONNX Runtime on CUDA, without TensorFloat-32. Its operators are not ONNX's: no other runtime reads it."""

    precision: ClassVar[str] = "fp32"
    criterion: ClassVar[Criterion] = "parity"
    batch_invariant: ClassVar[bool] = True
    providers: ClassVar[tuple[str, ...]] = (CUDA, CPU)
    tolerances: ClassVar[Mapping[str, float]] = {CUDA: GPU_TOLERANCE}
    file: ClassVar[str] = "model.cuda.onnx"
    starts_from: ClassVar[str | None] = "onnx_fp32"

    fuse: bool = Field(True, description="fuse layers by onnxruntime.transformers, as far as the logits stay the same")
    fused_difference: PositiveFloat = Field(
        2e-5, description="largest difference of a logit on real records by which fused layers are taken"
    )

    def build(self, source: Source, folder: Path) -> Mapping[str, Any]:
        """Write the fused graph, or the fp32 one as it is where fusing changes logits or fails.

        Returns: `fused`: operators with their number, and the `difference` on real records; or why there are none.
        """
        import shutil

        from export import fusion
        from export.targets.onnx_fp32 import OnnxFp32

        assert source.base is not None
        fp32, out = source.base / OnnxFp32.model, folder / self.model
        if self.fuse:
            tried = fusion.fuse(fp32, out, source.flips)
            if tried["difference"] is not None and tried["difference"] <= self.fused_difference:
                return {"fused": tried}
        shutil.copyfile(fp32, out)
        return {"fused": {**tried, "operators": {}, "left": True} if self.fuse else None}
