"""Encoders that come with the toolkit, and checkpoints as local folders."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def embedded_names() -> list[str]:
    """Names of the encoders in `teachers/weights`, sorted."""
    folder = _weights()
    return sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def local_folder(checkpoint: str) -> Path | None:
    """The folder of a checkpoint: an embedded encoder by its name, or an existing folder; None for a hub id.

    A folder that has an embedded encoder's name is given with a slash: `./base`.
    """
    if checkpoint in embedded_names():
        return _weights() / checkpoint
    path = Path(checkpoint).expanduser()
    return path if path.is_dir() else None


def _weights() -> Path:
    return Path(str(files("teachers"))) / "weights"
