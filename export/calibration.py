"""Ranges of activations on real records, for scales that are fixed beforehand; memory does not grow with the records.

ONNX Runtime's calibrators keep every activation of every record until the last one is read. Its collector of histograms
takes them one record at a time all the same, so that is how it is used here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from distill.core.errors import UserError
from distill.core.quiet import quiet
from distill.inference.collate import Batch
from export.int8_static import Scale

_BINS, _QUANTISED_BINS = 2048, 128


class Ranges:
    """A runner that answers as the fp32 file does, and remembers how the values of some tensors are spread.

    Args: fp32: an ONNX file. tensors: names of what is watched, float tensors of any shape.
    """

    def __init__(self, fp32: Path, tensors: Sequence[str]) -> None:
        from onnxruntime.quantization.calibrate import HistogramCollector

        self._tensors, model = list(tensors), onnx.load(fp32)
        for name in self._tensors:
            model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
        self._session = _session(model)
        self._inputs = [node.name for node in self._session.get_inputs()]
        self._logits = self._session.get_outputs()[0].name
        self._collector: Any = HistogramCollector("entropy", False, _BINS, _QUANTISED_BINS, 100.0, "same")
        self._where = fp32

    def logits(self, batch: Batch) -> NDArray[np.float32]:
        """Logits (B, K) of a batch, whose activations are counted; padding would count, so records come one by one."""
        feeds = {name: batch[name].astype(np.int64, copy=False) for name in self._inputs}
        logits, *values = self._session.run([self._logits, *self._tensors], feeds)
        with quiet():
            for name, found in zip(self._tensors, values, strict=True):
                if not np.isfinite(found).all():
                    raise UserError("an activation is NaN or infinite", where=str(self._where), found=name)
                self._collector.collect({name: found.astype(np.float32, copy=False)})
        return np.asarray(logits, np.float32)

    def scales(self, method: str, percentile: float) -> dict[str, Scale]:
        """The scale of each tensor: over all values that were seen; over all but the outermost; or over the range in
        which the rounded values are spread most like the exact ones.

        Args: percentile: of the method of this name, the share kept of 100, half of the rest cut at either end.
        Raises: UserError where no record was read.
        Source: entropy: Migacz 2017, "8-bit Inference with TensorRT": least Kullback-Leibler divergence.
        """
        if not self._collector.get_histogram_dict():
            do = "give the project training rows"
            raise UserError("static int8 needs records to calibrate on", where=str(self._where), do=do)
        ends: Callable[[], dict[str, Any]] = {
            "minmax": lambda: {name: one[2:4] for name, one in self._collector.get_histogram_dict().items()},
            "percentile": lambda: self._computed("percentile", percentile),
            "entropy": lambda: self._computed("entropy", 100.0),
        }[method]
        return {name: Scale.of_range(float(found[0]), float(found[1])) for name, found in ends().items()}

    def _computed(self, method: str, percentile: float) -> dict[str, Any]:
        self._collector.method, self._collector.percentile = method, percentile
        with quiet():
            found: dict[str, Any] = self._collector.compute_collection_result()
        return found


def _session(model: onnx.ModelProto) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Fused, some of the tensors would not be there.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
