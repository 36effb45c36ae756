"""ONNX Runtime on the processor, in fp32: it has no bf16 arithmetic there."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from distill.core.errors import MissingExtra
from distill.inference.backends.backend import Backend, Running
from distill.inference.backends.exported import exported

if TYPE_CHECKING:
    from distill.inference.runner import Runner


class OnnxRuntime(Backend):
    """The model exported to ONNX and run by ONNX Runtime."""

    name: ClassVar[str] = "onnx"

    @classmethod
    def require(cls) -> None:
        """Check that exporter and runtime are installed."""
        if not all(map(find_spec, ("onnx", "onnxscript", "onnxruntime"))):
            raise MissingExtra("labelling by ONNX Runtime", "train,cpu")

    @classmethod
    def open(cls, folder: Path, how: Running) -> Runner:
        """`OnnxRunner` over a file that is made for it."""
        from distill.inference.onnx_runner import OnnxRunner

        cls.require()
        return OnnxRunner(exported(folder), threads=how.threads)
