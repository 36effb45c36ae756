"""Folders that steps made: replaced and removed, and never a folder of anybody else.

A folder is ours when it is inside the run folder and holds the manifest that ends a step, the marker that begins one,
or nothing. Removing leaves that file for last, so a kill on the way leaves a folder that is ours still.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from distill.core.errors import UserError
from distill.core.files import is_half_written, read_object, remove
from distill.core.manifest import MANIFEST

STARTED = "step.json"
_KEYS: Mapping[str, set[str]] = {MANIFEST: {"step", "fingerprint", "files"}, STARTED: {"fingerprint"}}


def is_ours(folder: Path) -> bool:
    """Whether a step made or began this folder, or nothing is in it."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    return is_empty(folder) or _mark(folder) is not None


def is_passing(name: str) -> bool:
    """Whether a folder of this name holds work that is not finished, or is on its way out."""
    return name.endswith((".partial", ".replaced"))


def is_empty(folder: Path) -> bool:
    """Whether a folder holds nothing but files that a kill left half-written."""
    return all(is_half_written(path.name) for path in folder.iterdir())


def require_replaceable(new: Path, target: Path, run: Path) -> None:
    """Check that `replace_folder` may do its work, as far as things are there yet.

    Raises: UserError naming the folder that is not ours and what to do.
    """
    for folder in (new, target, _aside(target)):
        _require_ours(folder, run)


def replace_folder(new: Path, target: Path, run: Path) -> None:
    """Give `new` the name `target`; an earlier artifact steps aside first and is removed after.

    Raises: UserError when one of the folders is not ours, before anything is moved.
    """
    require_replaceable(new, target, run)
    old = _aside(target)
    _remove(old)
    if target.exists():
        os.replace(target, old)
    os.replace(new, target)
    _remove(old)


def link_folder(source: Path, target: Path) -> None:
    """Give a folder's files a second place, as links, or copies where there can be none; files that are there stay.

    Artifacts are replaced as folders and never written in place, so neither place can change the other. What says that
    the folder is whole, its manifest, comes last.
    """
    files = [path for path in source.rglob("*") if path.is_file()]
    for path in sorted(files, key=lambda path: path == source / MANIFEST):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, place)
        except FileExistsError:
            continue
        except OSError:  # another disk, or one without links
            shutil.copyfile(path, place)


def clear_folder(folder: Path, run: Path) -> None:
    """Remove a folder of ours, if there. A kill on the way never leaves a part of it under its name.

    Raises: UserError when the folder is not ours, before anything is removed.
    """
    old = _aside(folder)
    for one in (folder, old):
        _require_ours(one, run)
    _remove(old)
    if folder.exists():
        os.replace(folder, old)
    _remove(old)


def begun_for(folder: Path) -> str | None:
    """The fingerprint of the step that began this folder; None where none did."""
    fingerprint = read_object(folder / STARTED).get("fingerprint")
    return fingerprint if isinstance(fingerprint, str) else None


def _require_ours(folder: Path, run: Path) -> None:
    real = Path(os.path.realpath(folder))
    if Path(os.path.realpath(run)) not in real.parents:
        raise UserError(
            "a step may replace folders inside its run folder only; nothing was changed",
            where=str(folder),
            found=f"it leads to {real}, which is not inside {run}",
            do="put a folder in the place of the link, or choose another run folder with --out",
        )
    if os.path.lexists(folder) and not is_ours(folder):
        raise UserError(
            "something that no step has made is in an artifact's place; nothing was changed",
            where=str(folder),
            found=f"no {MANIFEST} or {STARTED} of distill in it",
            do="move it away, or choose another run folder with --out",
        )


def _aside(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.replaced")


def _remove(folder: Path) -> None:
    """Remove a folder of ours, if there: last of all what marks it as ours."""
    if not folder.exists():
        return
    mark = _mark(folder)
    for path in list(folder.iterdir()):
        if path != mark:
            remove(path)
    remove(folder)


def _mark(folder: Path) -> Path | None:
    """The file that tells that a step made or began this folder."""
    return next((folder / name for name, keys in _KEYS.items() if keys <= read_object(folder / name).keys()), None)
