"""What an artifact was made from and what it consists of: `manifest.json`, written last."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from distill.core.errors import UserError
from distill.core.files import Json, read_json, sha256, sha256_json, write_json

MANIFEST = "manifest.json"
SCHEMA = 1


def write_manifest(folder: Path, content: Json, name: str = MANIFEST, *, leave_out: Collection[str] = ()) -> None:
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


def digest(folder: Path, files: Collection[str] = ()) -> str:
    """Hex SHA-256 over the hashes of an artifact's files: equal for equal content, whenever it was made.

    Args: files: the names to cover; all where none is given. Raises: UserError when the artifact lacks one of them.
    """
    return sha256_json({name: entry["sha256"] for name, entry in _entries(folder, MANIFEST, files).items()})


def holds(folder: Path, files: Collection[str] = ()) -> bool:
    """Whether the folder is a finished artifact with files of these names, by its manifest."""
    return (folder / MANIFEST).exists() and read_manifest(folder)["files"].keys() >= set(files)


def read_manifest(folder: Path, name: str = MANIFEST) -> Json:
    """The manifest of a finished artifact. Raises: UserError when there is none."""
    if not (folder / name).exists():
        raise UserError(f"not a finished artifact: no {name}", where=str(folder), do="run its step first")
    manifest: Json = read_json(folder / name)
    return manifest


def require_whole(folder: Path, name: str = MANIFEST, *, files: Collection[str] = (), thorough: bool = False) -> None:
    """Check that the files of an artifact are there with their sizes; with `thorough` also with their sha256.

    Args: files: the names to check; all where none is given. Raises: UserError naming the first files that are not.
    """
    damaged = _damaged_files(folder, _entries(folder, name, files), thorough)
    if damaged:
        raise UserError(
            "a finished artifact was damaged since",
            where=str(folder),
            found=f"missing or changed: {', '.join(damaged[:5])}",
            do="restore the files, or delete the folder and start again: only this step and those after it are redone",
        )


def _entries(folder: Path, manifest: str, files: Collection[str]) -> dict[str, Json]:
    """The manifest's entries of these files, of all where none is named. Raises: UserError when one is not listed."""
    found: dict[str, Json] = read_manifest(folder, manifest)["files"]
    if missing := sorted(set(files) - set(found)):
        do = "delete the folder and start again: only this step and those after it are redone"
        raise UserError("an artifact lacks files", where=str(folder), found=f"no {', '.join(missing)}", do=do)
    return {name: found[name] for name in sorted(files)} if files else found


def _damaged_files(folder: Path, entries: Mapping[str, Mapping[str, Any]], thorough: bool) -> list[str]:
    bad = []
    for name, entry in entries.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != entry["bytes"]:
            bad.append(name)
        elif thorough and sha256(path) != entry["sha256"]:
            bad.append(name)
    return bad
