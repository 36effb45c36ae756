"""An exported graph run by OpenVINO on the processor."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from distill.core.errors import MissingExtra, UserError
from distill.inference.collate import Batch

_TELEMETRY = "openvino_telemetry"


class OpenVinoRunner:
    """A classifier in OpenVINO: one stream over all threads.

    Args: path: an `.onnx` file of fp32, which may be removed afterwards. threads: None leaves the choice to the
        runtime. precision: of the arithmetic; bf16 is emulated where the processor has none, and slow.
    Raises: MissingExtra without openvino. UserError when the file cannot be loaded.
    """

    def __init__(self, path: Path, *, threads: int | None = None, precision: Literal["fp32", "bf16"] = "fp32") -> None:
        openvino = _openvino()
        hints = {
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": "1",
            **({"INFERENCE_NUM_THREADS": str(threads)} if threads else {}),
        }
        try:
            # From memory: of a file it would keep the weights mapped.
            model = openvino.Core().read_model(path.read_bytes())
            self._model = openvino.Core().compile_model(model, "CPU", hints)
        except Exception as error:  # the runtime's errors share no base but Exception
            raise UserError("OpenVINO cannot load the ONNX file", where=str(path), found=error) from error
        self.precision = str(self._model.get_property("INFERENCE_PRECISION_HINT").get_type_name())
        self._names = [node.any_name for node in self._model.inputs]

    def logits(self, batch: Batch) -> NDArray[np.float32]:
        """Logits (B, C) of a batch (B, S); inputs that the graph does not have are left out."""
        output = self._model({name: batch[name] for name in self._names})[0]
        return np.array(output, dtype=np.float32)  # a copy: the next batch is written in the same place


def _openvino() -> Any:
    """The module, which sends nothing. Importing it sends an event through `openvino_telemetry` where that is there.

    Where it is absent OpenVINO (2026.4) takes a stub of its own; no variable switches it off.
    """
    if "openvino" not in sys.modules:
        sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
    try:
        import openvino
    except ImportError:
        raise MissingExtra("OpenVINO", "openvino") from None
    return openvino
