"""Static int8 for processors: 8-bit weights with a scale per channel, activations with scales fixed on real records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PositiveInt

from export.int8_target import Int8, Try
from export.targets.base import Source

Method = Literal["minmax", "percentile", "entropy"]


class OnnxInt8Static(Int8):
    """int8 in ONNX Runtime on processors, with the scales in the file: rows may share a run."""

    batch_invariant: ClassVar[bool] = True
    file: ClassVar[str] = "model.int8-static.onnx"
    calibrates: ClassVar[bool] = True

    calibration_rows: PositiveInt = Field(512, description="training records whose activations fix the scales, at most")
    methods: Annotated[list[Method], Field(min_length=1)] = Field(
        ["minmax", "percentile"],
        description="how their ranges become scales: minmax, percentile, entropy; tried in this order on each rung",
    )
    percentile: float = Field(99.99, gt=50, le=100, description="of the values, what the method percentile covers")

    def build(self, source: Source, folder: Path) -> Mapping[str, Any]:
        """Write the first int8 form that changes few enough answers, see `first_good`.

        Raises: UserError without records to calibrate on.
        """
        return {**self.first_good(source, folder, self._tries(source)), "calibration_rows": self.calibration_rows}

    def _tries(self, source: Source) -> Iterator[Try]:
        """Every rung with every method, the records read once."""
        from export import int8, int8_static
        from export.calibration import Ranges
        from export.targets.onnx_fp32 import OnnxFp32

        assert source.base is not None and source.calibrate is not None
        fp32 = source.base / OnnxFp32.model
        ranges = Ranges(fp32, sorted({product.reads for product in int8.products(fp32)}))
        source.calibrate(ranges, self.calibration_rows)
        scales: dict[str, Mapping[str, int8_static.Scale]] = {}
        for rung, kept in int8.rungs(fp32, self.keep_fp32).items():
            for method in self.methods:
                if method not in scales:
                    scales[method] = ranges.scales(method, self.percentile)
                write = partial(int8_static.quantise, fp32, scales=scales[method], keep_fp32=kept)
                yield f"{rung}, {method}", partial(write, reduce_range=self.reduce_range)

    @classmethod
    def limits(cls, cpu: str) -> list[str]:
        """What fixed scales mean, and why labels change on other processors."""
        return [
            "- int8 scales of activations were fixed on training records: batches and padding change nothing, texts of",
            "  another kind may go beyond them and are clipped there.",
            *super().limits(cpu),
        ]
