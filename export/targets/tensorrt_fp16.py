"""A TensorRT engine in fp16, with fp32 where fp16 would suffer: a strongly typed ONNX file, built where it runs."""

from __future__ import annotations

from typing import ClassVar

from export import tensorrt_target


class TensorrtFp16(tensorrt_target.TensorrtTarget):
    """fp16 in TensorRT."""

    precision: ClassVar[str] = "fp16"
    file: ClassVar[str] = "model.tensorrt-fp16.onnx"
