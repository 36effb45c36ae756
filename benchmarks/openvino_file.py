"""A file of fp32 run by OpenVINO, to be timed beside ONNX Runtime: nothing is exported as it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from distill.inference.providers import AUTO
from export.targets.onnx_fp32 import OnnxFp32

if TYPE_CHECKING:
    from distill.inference.runner import Runner


class OpenVinoFile(OnnxFp32):
    """The fp32 file that ONNX Runtime has, on the processor."""

    @classmethod
    def open(cls, folder: Path, threads: int | None = None, provider: str = AUTO, *, spinning: bool = True) -> Runner:
        """The file in `folder`; its threads wait as OpenVINO's do, whatever `spinning` says.

        Raises: MissingExtra without OpenVINO; UserError when it cannot be loaded.
        """
        from distill.inference.openvino_runner import OpenVinoRunner

        return OpenVinoRunner(folder / cls.model, threads=threads)
