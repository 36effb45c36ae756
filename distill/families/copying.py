"""A model under another name."""

from __future__ import annotations

import shutil
from pathlib import Path

from distill.core.manifest import MANIFEST
from distill.core.view import View


def copy_model(source: Path, view: View, folder: Path) -> None:
    """Step body: `folder` becomes the model in `source`, bound to `view`, which renders as the source's does."""
    copy_files(source, folder)
    view.save(folder)


def copy_files(source: Path, folder: Path) -> None:
    """Copy the files of a model folder, without the manifest of the step that made it."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in (*source.glob("*.json"), *source.glob("*.safetensors")):
        if path.name != MANIFEST:
            shutil.copyfile(path, folder / path.name)
