"""The largest activations of an exported fp32 model on real records: what half precision has to hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from distill.inference.collate import Batch
from export.strong_types import value_types

_FLOAT = TensorProto.FLOAT


class Recorder:
    """A runner of an fp32 file on the processor that keeps the largest absolute entry of every value it computes.

    Args: path: the fp32 file.
    Attributes: largest: by value name, of all batches so far; NaN once one was. lengths: tokens of each batch, with how
        often.
    """

    def __init__(self, path: Path) -> None:
        import onnxruntime

        model = onnx.load(path)
        self.logits_name = model.graph.output[0].name
        self._watched = _watch(model)
        options = onnxruntime.SessionOptions()
        # Fused operators no longer compute the values that are to be watched.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 3
        self._session: Any = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self._inputs = [item.name for item in self._session.get_inputs()]
        self.largest = dict.fromkeys(self._watched.values(), 0.0)
        self.lengths = dict[int, int]()

    def logits(self, batch: Batch) -> NDArray[np.float32]:
        """Logits (B, C), as of any runner."""
        names = [self.logits_name, *self._watched]
        logits, *found = self._session.run(names, {name: batch[name].astype(np.int64) for name in self._inputs})
        for name, value in zip(self._watched.values(), found, strict=True):
            self.largest[name] = float(np.maximum(self.largest[name], value))  # unlike max, it lets NaN through
        tokens = int(batch["input_ids"].shape[1])
        self.lengths[tokens] = self.lengths.get(tokens, 0) + batch["input_ids"].shape[0]
        return np.asarray(logits, np.float32)


def _watch(model: onnx.ModelProto) -> dict[str, str]:
    """Add an output with the largest absolute entry of each float that a node computes: output name to value name."""
    types, watched = value_types(model), dict[str, str]()
    computed = [name for node in model.graph.node for name in node.output if types.get(name) == _FLOAT]
    for number, name in enumerate(computed):
        size, output = f"size_{number}", f"largest_{number}"
        model.graph.node.append(helper.make_node("Abs", [name], [size]))
        model.graph.node.append(helper.make_node("ReduceMax", [size], [output], keepdims=0))
        model.graph.output.append(helper.make_tensor_value_info(output, _FLOAT, []))
        watched[output] = name
    return watched
