"""A model under another name."""

from __future__ import annotations

import shutil
from pathlib import Path

from distill.core.manifest import MANIFEST
from distill.core.view import View


def copy_model(source: Path, view: View, folder: Path) -> None:
    """Step body: `folder` becomes the model in `source`, bound to `view`, which renders as the source's does."""
    for path in (*source.glob("*.json"), *source.glob("*.safetensors")):
        if path.name != MANIFEST:
            shutil.copyfile(path, folder / path.name)
    view.save(folder)
