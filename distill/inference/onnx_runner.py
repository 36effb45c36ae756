"""An exported graph run by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.core.errors import MissingExtra, UserError
from distill.inference.collate import Batch

_CPU = ("CPUExecutionProvider",)
_INTEGERS = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}


class OnnxRunner:
    """A classifier in ONNX Runtime: one session, operators in sequence, all graph optimisations.

    Args: path: a `.onnx` file. threads: of one operator; None leaves the choice to the runtime.
        providers: execution providers by ONNX Runtime's names, best first.
    Raises: MissingExtra without onnxruntime. UserError when the file cannot be loaded or a provider is unavailable;
        ONNX Runtime itself would go on, on the CPU.
    """

    def __init__(self, path: Path, *, threads: int | None = None, providers: Sequence[str] = _CPU) -> None:
        self.path = path
        self._session = _session(path, threads, providers)
        self._inputs = {node.name: _INTEGERS[node.type] for node in self._session.get_inputs()}

    def logits(self, batch: Batch) -> NDArray[np.float32]:
        """Logits (B, C) of a batch (B, S); inputs that the graph does not have are left out."""
        feeds = {name: batch[name].astype(dtype, copy=False) for name, dtype in self._inputs.items()}
        output = self._session.run(None, feeds)[0]
        return np.asarray(output, dtype=np.float32)


def _session(path: Path, threads: int | None, providers: Sequence[str]) -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise MissingExtra("ONNX Runtime", "cpu") from None
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.intra_op_num_threads = threads or 0
    options.log_severity_level = 3
    _require(providers, onnxruntime.get_available_providers())
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=list(providers))
    except Exception as error:  # the runtime's errors share no base but Exception
        raise UserError("cannot load the ONNX file", where=str(path), found=error, do="export it again") from error
    _require(providers, session.get_providers())
    return session


def _require(providers: Sequence[str], available: Sequence[str]) -> None:
    missing = [name for name in providers if name not in available]
    if missing:
        raise UserError(
            f"ONNX Runtime cannot use {', '.join(missing)} here",
            found=f"available: {', '.join(available)}",
            do="install the extra 'gpu' (in place of 'cpu') and its CUDA libraries, or choose a target for processors",
        )
