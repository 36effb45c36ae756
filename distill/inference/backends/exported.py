"""A model folder exported to ONNX for a runtime that reads such files."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from distill.core.files import sha256
from distill.core.progress import note

_WEIGHTS = "model.safetensors"
_KEPT = 4


def exported(folder: Path) -> Path:
    """An fp32 ONNX file of the model in `folder`, made once for these weights; it is gone when the process ends.

    Raises: UserError as `export_fp32`.
    """
    return Path(_made(folder.resolve(), sha256(folder / _WEIGHTS)).name) / "model.onnx"


@lru_cache(maxsize=_KEPT)
def _made(folder: Path, weights: str) -> TemporaryDirectory[str]:
    """The folder of the file, which goes with the object."""
    from distill.models.to_onnx import export_fp32

    note(f"exporting {folder.name} to ONNX")
    place = TemporaryDirectory(prefix="distill-onnx-")
    export_fp32(folder, Path(place.name) / "model.onnx")
    return place
