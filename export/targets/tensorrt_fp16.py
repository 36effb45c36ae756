"""A TensorRT engine in fp16, with fp32 where fp16 would suffer: a strongly typed ONNX file, built where it runs."""

from __future__ import annotations

from typing import ClassVar

from distill.inference.providers import CPU, TENSORRT
from export import tensorrt_target


class TensorrtFp16(tensorrt_target.TensorrtTarget):
    """fp16 in TensorRT; without a card ONNX Runtime reads the same file on the processor, which its answers are of."""

    precision: ClassVar[str] = "fp16"
    providers: ClassVar[tuple[str, ...]] = (TENSORRT, CPU)
    file: ClassVar[str] = "model.tensorrt-fp16.onnx"
