"""A TensorRT engine in bf16, which holds what fp16 cannot: a strongly typed ONNX file, built where it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from distill.inference.providers import AUTO, TENSORRT
from export import tensorrt_target

if TYPE_CHECKING:
    from distill.inference.runner import Runner


class TensorrtBf16(tensorrt_target.TensorrtTarget):
    """bf16 in TensorRT. ONNX Runtime has no kernels for it on x86: without a card its answers are emulated there."""

    precision: ClassVar[str] = "bf16"
    providers: ClassVar[tuple[str, ...]] = (TENSORRT,)
    elsewhere: ClassVar[str] = "ONNX Runtime has no bf16 kernels on processors"
    file: ClassVar[str] = "model.tensorrt-bf16.onnx"

    @classmethod
    def open(cls, folder: Path, threads: int | None = None, provider: str = AUTO) -> Runner:
        """The engine; where ONNX Runtime has no TensorRT and none was asked for, the emulation on the processor."""
        import onnxruntime

        from export.emulation import Emulated

        if provider == AUTO and TENSORRT not in onnxruntime.get_available_providers():
            return Emulated(folder / cls.model, threads)
        return super().open(folder, threads, provider)
