"""What the parts of the GPU kit are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from distill.core.files import Json, write_json

ROOT = Path(__file__).resolve().parents[2]
LAYERS_AND_WIDTHS = ((12, 768), (6, 384))
"""The models whose speed is measured, by layers and width; heads have 64 dimensions, feed-forward is four widths."""


@dataclass(frozen=True)
class Job:
    """What a part works on.

    Attributes: work: the kit's own folder, for inputs, logs and what is kept between starts. device: `cuda`, or `cpu`
        for a trial. tiny: models of two layers and few rows, so that each part takes seconds. root: the repository.
        data, encoder: folders for the tables of quality. threads: of the processor. seconds: that a part may take; the
        kit stops it then, and a part may end in time by itself. out: where `keep` writes.
    """

    work: Path
    device: str = "cuda"
    tiny: bool = False
    root: Path = ROOT
    data: Path | None = None
    encoder: Path | None = None
    threads: int = 2
    seconds: float = 60.0
    out: Path | None = None

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Layers and width of each model."""
        return ((1, 64),) if self.tiny else LAYERS_AND_WIDTHS

    @property
    def provider(self) -> str:
        """The provider of ONNX Runtime that artifacts are asked for."""
        return "cuda" if self.device == "cuda" else "cpu"

    def keep(self, figures: Json) -> None:
        """Store what a part has measured so far: of one that is stopped it is what remains."""
        if self.out is not None:
            write_json(self.out, figures)

    def as_json(self) -> Json:
        """The fields, with paths as text."""
        return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Job:
        """The inverse of `as_json`."""
        paths = {
            name: Path(value[name]) for name in ("work", "root", "data", "encoder", "out") if value[name] is not None
        }
        return cls(**{**value, **paths})
