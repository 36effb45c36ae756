"""What every exporter offers: from a model folder to one fp32 ONNX file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar


class Exporter(ABC):
    """One way to trace a model.

    Attributes:
        name: in the settings of a target.
        apart: whether it runs in an environment of its own, by `python`.
        python: path of that environment's interpreter; None: it runs here.
        where: the target's place in messages.
    """

    name: ClassVar[str]
    apart: ClassVar[bool]

    def __init__(self, where: str, python: str | None = None) -> None:
        self.where, self.python = where, python

    @abstractmethod
    def require(self, model: Any) -> None:
        """Check, before anything is trained, that it can export a `PreTrainedModel`. Raises: UserError."""

    @abstractmethod
    def export(self, model_folder: Path, out: Path) -> Mapping[str, Any]:
        """Write a model folder as one ONNX file, with the inputs and the metadata that `distill.models.to_onnx` names.

        Returns: what `parity.json` keeps of how the file was made, JSON-ready.
        Raises: UserError when the model cannot be exported so.
        """
