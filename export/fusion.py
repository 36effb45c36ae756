"""Layers of an exported fp32 model fused into ONNX Runtime's own operators, measured against the model as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.core.files import Json, replacing
from distill.core.quiet import quiet
from distill.inference.collate import Batch
from distill.inference.onnx_runner import OnnxRunner
from distill.inference.runner import Runner


def fuse(fp32: Path, out: Path, read: Callable[[Runner], Any]) -> Json:
    """Write the fused form of an fp32 ONNX file, by onnxruntime.transformers, with the metadata of that file.

    Args: read: gives a runner the real records, one at a time.
    Returns: `operators`: how many of each were fused; `difference`: the largest of a logit on these records, on the
        processor; None with `why` where there is no fused graph or it does not run.
    """
    try:
        with quiet():
            operators = _fuse(fp32, out)
        both = _Both(OnnxRunner(fp32), OnnxRunner(out))
        read(both)
    except Exception as error:  # the optimiser and the runtime raise errors of many kinds for graphs they do not know
        return {"operators": {}, "difference": None, "why": next(iter(str(error).splitlines()), type(error).__name__)}
    return {"operators": operators, "difference": both.difference}


def _fuse(fp32: Path, out: Path) -> dict[str, int]:
    from onnxruntime.transformers import optimizer
    from onnxruntime.transformers.fusion_options import FusionOptions

    options = FusionOptions("bert")
    # It wants inputs of 32 bits, and casts in front of them.
    options.enable_embed_layer_norm = False
    # opt_level 0: fusions alone; the runtime optimises for the device when it loads the file.
    model = optimizer.optimize_model(str(fp32), model_type="bert", opt_level=0, optimization_options=options)
    with replacing(out) as partial:
        partial.write_bytes(model.model.SerializeToString(deterministic=True))
    own = [node.op_type for node in model.model.graph.node if node.domain == "com.microsoft"]
    return {name: own.count(name) for name in sorted(set(own))}


class _Both:
    """A runner that answers as one of two does, and keeps how far they were apart."""

    def __init__(self, one: Runner, other: Runner) -> None:
        self.one, self.other, self.difference = one, other, 0.0

    def logits(self, batch: Batch) -> NDArray[np.float32]:
        found = self.other.logits(batch)
        apart = np.abs(found.astype(np.float64) - self.one.logits(batch)).max(initial=0.0)
        self.difference = float(np.maximum(self.difference, apart))
        return found
