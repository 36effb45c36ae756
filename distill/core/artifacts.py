"""Every finished artifact below a run folder, as a whole."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

from distill.core import manifest
from distill.core.errors import UserError
from distill.core.files import sha256
from distill.core.folders import STARTED, is_passing
from distill.core.manifest import MANIFEST

_SHOWN = 20


def finished(run: Path) -> Iterator[tuple[Path, str]]:
    """Folder and manifest name of each artifact of a run, those of all its seeds too, in the order of their paths."""
    for place, folders, files in os.walk(run, onerror=_fail):
        name = next((one for one in (STARTED, MANIFEST) if one in files), None)
        if name is not None and Path(place) != run:
            yield Path(place), name
        # What is in an artifact is listed by its manifest.
        folders[:] = [] if name else sorted(one for one in folders if not is_passing(one))


def _fail(error: OSError) -> NoReturn:
    """What cannot be looked into cannot be said to be whole."""
    raise error


def require_whole_run(run: Path, large: Callable[[Path], str] = sha256) -> tuple[int, int]:
    """Check every file of every finished artifact; returns how many artifacts and files these are.

    Args: large: see `manifest.require_whole`. Raises: UserError naming the files that are missing or changed.
    """
    artifacts, files, damaged = 0, 0, []
    for folder, name in finished(run):
        artifacts, files = artifacts + 1, files + len(manifest.read_manifest(folder, name)["files"])
        damaged += [str((folder / file).relative_to(run)) for file in manifest.damaged_files(folder, name, large=large)]
    if damaged:
        more = f" and {len(damaged) - _SHOWN} more" if len(damaged) > _SHOWN else ""
        raise UserError(
            "finished artifacts were damaged since",
            where=str(run),
            found=f"missing or changed: {', '.join(damaged[:_SHOWN])}{more}",
            do="restore them, or delete their folders and start again: only their steps and those after are redone",
        )
    return artifacts, files
