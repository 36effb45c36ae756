"""The inputs of an ONNX file, read without a runtime: no machine here may be able to run it."""

from __future__ import annotations

from pathlib import Path


def input_names(model: Path) -> list[str]:
    """The names of a graph's inputs, in order."""
    import onnx

    return [value.name for value in onnx.load(model).graph.input]
