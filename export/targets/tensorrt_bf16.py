"""A TensorRT engine in bf16, which holds what fp16 cannot: a strongly typed ONNX file, built where it runs."""

from __future__ import annotations

from typing import ClassVar

from export import tensorrt_target


class TensorrtBf16(tensorrt_target.TensorrtTarget):
    """bf16 in TensorRT, on cards that have it: from compute capability 8.0 on."""

    precision: ClassVar[str] = "bf16"
    file: ClassVar[str] = "model.tensorrt-bf16.onnx"
