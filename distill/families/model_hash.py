"""The hash by which a model is known: of its own files, and of the models that it is made of."""

from __future__ import annotations

from pathlib import Path

from distill.core import manifest
from distill.core.files import sha256, sha256_json
from distill.core.manifest import MANIFEST
from distill.families.family import family_of


def model_hash(folder: Path) -> str:
    """Hex SHA-256 over the files of a model folder and of those that it is made of, as the manifest has them."""
    parts = family_of(folder).parts(folder)
    own = manifest.digest(folder) if (folder / MANIFEST).exists() else _hashed(folder)
    return sha256_json([own, *map(model_hash, parts)]) if parts else own


def _hashed(folder: Path) -> str:
    """As `manifest.digest` of a folder that no step has finished."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return sha256_json({path.relative_to(folder).as_posix(): sha256(path) for path in files})
