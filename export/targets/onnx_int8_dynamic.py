"""Dynamic int8 for processors: 8-bit weights with a scale per channel, activations scaled as they come."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from export.int8_target import Int8
from export.targets.base import Source


class OnnxInt8Dynamic(Int8):
    """int8 in ONNX Runtime on processors. Its activation scale is taken over the whole input, so rows must not share a
    run.
    """

    batch_invariant: ClassVar[bool] = False
    file: ClassVar[str] = "model.int8.onnx"

    def build(self, source: Source, folder: Path) -> Mapping[str, Any]:
        """Write the first int8 form that changes few enough answers, see `first_good`."""
        from export import int8
        from export.targets.onnx_fp32 import OnnxFp32

        assert source.base is not None
        fp32 = source.base / OnnxFp32.model
        rungs = int8.rungs(fp32, self.keep_fp32)
        written = {
            rung: partial(int8.quantise, fp32, keep_fp32=kept, reduce_range=self.reduce_range)
            for rung, kept in rungs.items()
        }
        return self.first_good(source, folder, written.items())

    @classmethod
    def limits(cls, cpu: str) -> list[str]:
        """Why it reads one window per run, and why labels change on other processors."""
        return [
            "- int8 scales activations over the whole input: batched or padded, a record's logits would depend on its",
            "  neighbours, so runtime.py sends one window per run. On a GPU int8 is many times slower than fp32.",
            *super().limits(cpu),
        ]
