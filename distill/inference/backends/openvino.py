"""OpenVINO on the processor, in fp32 or, where the processor multiplies it, bf16."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from distill.core.errors import MissingExtra
from distill.inference.backends.backend import Backend, Precision, Running
from distill.inference.backends.exported import exported

if TYPE_CHECKING:
    from distill.inference.runner import Runner


class OpenVino(Backend):
    """The model exported to ONNX and run by OpenVINO."""

    name: ClassVar[str] = "openvino"
    precisions: ClassVar[tuple[Precision, ...]] = ("fp32", "bf16")

    @classmethod
    def require(cls) -> None:
        """Check that exporter and runtime are installed."""
        if not all(map(find_spec, ("onnx", "onnxscript", "openvino"))):
            raise MissingExtra("labelling by OpenVINO", "train,cpu,openvino")

    @classmethod
    def open(cls, folder: Path, how: Running) -> Runner:
        """`OpenVinoRunner` over a file that is made for it."""
        from distill.inference.openvino_runner import OpenVinoRunner

        cls.require()
        return OpenVinoRunner(exported(folder), threads=how.threads, precision=how.precision)
