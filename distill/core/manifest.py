"""What an artifact was made from and what it consists of: `manifest.json`, written last."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from distill.core.errors import UserError
from distill.core.files import Json, read_json, sha256, sha256_json
from distill.core.sealed import read_sealed, write_sealed

MANIFEST = "manifest.json"
SCHEMA = 1
_SMALL_BYTES = 2**20


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
    write_sealed(folder / name, {"schema": SCHEMA, **content, "files": files})


def digest(folder: Path, files: Collection[str] = ()) -> str:
    """Hex SHA-256 over the hashes of an artifact's files: equal for equal content, whenever it was made.

    Args: files: the names to cover; all where none is given. Raises: UserError when the artifact lacks one of them.
    """
    return sha256_json({name: entry["sha256"] for name, entry in _entries(folder, MANIFEST, files).items()})


def holds(folder: Path, files: Collection[str] = ()) -> bool:
    """Whether the folder is a finished artifact with files of these names, by its manifest."""
    return (folder / MANIFEST).exists() and read_manifest(folder)["files"].keys() >= set(files)


def read_manifest(folder: Path, name: str = MANIFEST) -> Json:
    """The manifest of a finished artifact. Raises: UserError when there is none, or not as a step wrote it."""
    if not (folder / name).exists():
        raise UserError(f"not a finished artifact: no {name}", where=str(folder), do="run its step first")
    manifest = read_sealed(folder / name)
    if not is_manifest(manifest):
        do = "restore it, or delete the folder and start again: only this step and those after it are redone"
        raise UserError("a damaged manifest", where=str(folder / name), do=do)
    return manifest


def is_manifest(content: object) -> bool:
    """Whether JSON content lists files with their hashes and sizes, as a step writes it."""
    files = content.get("files") if isinstance(content, dict) else None
    return isinstance(files, dict) and all(
        isinstance(entry, dict) and isinstance(entry.get("sha256"), str) and isinstance(entry.get("bytes"), int)
        for entry in files.values()
    )


def read_whole(folder: Path, file: str) -> Any:
    """The JSON value of a file of a finished artifact; None where the artifact, or the file in it, is not made.

    Raises: UserError when the file is not the one that the step left.
    """
    if not (folder / MANIFEST).exists() or file not in read_manifest(folder)["files"]:
        return None
    require_whole(folder, files=(file,))
    return read_json(folder / file)


def require_whole(
    folder: Path, name: str = MANIFEST, *, files: Collection[str] = (), large: Callable[[Path], str] = sha256
) -> None:
    """Check that the files of an artifact are there with their sizes and hashes.

    Args: files: the names to check; all where none is given. large: the hash of a file over 1 MiB, which may remember
        the files that have not changed since it read them.
    Raises: UserError naming the first files that are missing or changed.
    """
    damaged = damaged_files(folder, name, files=files, large=large)
    if damaged:
        raise UserError(
            "a finished artifact was damaged since",
            where=str(folder),
            found=f"missing or changed: {', '.join(damaged[:5])}",
            do="restore the files, or delete the folder and start again: only this step and those after it are redone",
        )


def damaged_files(
    folder: Path, name: str = MANIFEST, *, files: Collection[str] = (), large: Callable[[Path], str] = sha256
) -> list[str]:
    """The files of an artifact that are missing or changed. Args, Raises: as `require_whole`, `read_manifest`."""
    return [file for file, entry in _entries(folder, name, files).items() if not _is_whole(folder / file, entry, large)]


def _entries(folder: Path, manifest: str, files: Collection[str]) -> dict[str, Json]:
    """The manifest's entries of these files, of all where none is named. Raises: UserError when one is not listed."""
    found: dict[str, Json] = read_manifest(folder, manifest)["files"]
    if missing := sorted(set(files) - set(found)):
        do = "delete the folder and start again: only this step and those after it are redone"
        raise UserError("an artifact lacks files", where=str(folder), found=f"no {', '.join(missing)}", do=do)
    return {name: found[name] for name in sorted(files)} if files else found


def _is_whole(path: Path, entry: Mapping[str, Any], large: Callable[[Path], str]) -> bool:
    if not path.is_file() or path.stat().st_size != entry["bytes"]:
        return False
    found = sha256(path) if entry["bytes"] <= _SMALL_BYTES else large(path)
    return found == str(entry["sha256"])
