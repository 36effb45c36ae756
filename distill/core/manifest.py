"""What an artifact was made from and what it consists of: `manifest.json`, written last."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from distill.core.errors import UserError
from distill.core.files import read_json, sha256, sha256_json, write_json

MANIFEST = "manifest.json"
SCHEMA = 1


def write_manifest(
    folder: Path, content: dict[str, Any], name: str = MANIFEST, *, leave_out: Collection[str] = ()
) -> None:
    """Hash every file below `folder` and write its manifest; from then on the artifact counts as finished.

    Args: content: `step`, `version`, `fingerprint`, `inputs`, `seconds`. name: another file name, for artifacts whose
        body writes a `manifest.json` of its own. leave_out: files that are not part of the artifact.
    """
    files = {
        path.relative_to(folder).as_posix(): {"sha256": sha256(path), "bytes": path.stat().st_size}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).as_posix() not in {name, *leave_out}
    }
    write_json(folder / name, {"schema": SCHEMA, **content, "files": files})


def digest(folder: Path) -> str:
    """Hex SHA-256 over an artifact's file hashes: equal for equal content, whenever it was made."""
    files = read_manifest(folder)["files"]
    return sha256_json({name: entry["sha256"] for name, entry in files.items()})


def read_manifest(folder: Path, name: str = MANIFEST) -> dict[str, Any]:
    """The manifest of a finished artifact. Raises: UserError when there is none."""
    if not (folder / name).exists():
        raise UserError(f"not a finished artifact: no {name}", where=str(folder), do="run its step first")
    manifest: dict[str, Any] = read_json(folder / name)
    return manifest


def require_whole(folder: Path, name: str = MANIFEST, *, thorough: bool = False) -> None:
    """Nothing when every file of an artifact is there with its size; with `thorough` also with its sha256.

    Raises: UserError naming the first files that are not.
    """
    damaged = _damaged_files(folder, name, thorough)
    if damaged:
        raise UserError(
            "a finished artifact was damaged since",
            where=str(folder),
            found=f"missing or changed: {', '.join(damaged[:5])}",
            do="restore the files, or delete the folder and start again: only this step and those after it are redone",
        )


def _damaged_files(folder: Path, manifest: str, thorough: bool) -> list[str]:
    bad = []
    for name, entry in read_manifest(folder, manifest)["files"].items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != entry["bytes"]:
            bad.append(name)
        elif thorough and sha256(path) != entry["sha256"]:
            bad.append(name)
    return bad
