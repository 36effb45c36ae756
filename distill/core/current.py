"""Which artifacts of a run folder still belong together: one of them may have been made anew without those after it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.core import manifest
from distill.core.errors import UserError
from distill.core.manifest import MANIFEST
from distill.core.run_folder import STATE


@dataclass(frozen=True)
class Current:
    """A run folder with the artifacts in it that are what its settings ask for by now.

    Attributes: names: of those artifacts; any other one that is there was made of other files or settings.
    """

    run: Path
    names: Collection[str]

    def read(self, artifact: str, file: str) -> Any:
        """The JSON value of an artifact's file; None where it is not made, or not current. Raises: as `read_whole`."""
        return manifest.read_whole(self.run / artifact, file) if artifact in self.names else None


def require_current(run: Path, artifact: str) -> None:
    """Check that an artifact was made of what is in the run folder now, and that was too. Raises: UserError."""
    if changed := made_anew(run, artifact):
        raise UserError(
            "what this was made from has been made anew since",
            where=str(run / artifact),
            found=f"{changed} has other content by now",
            do="give the command that made the run again, up to evaluate: finished steps are kept",
        )


def made_anew(run: Path, artifact: str) -> str | None:
    """The first artifact that another one was made from, or that goes back to, and that has other content by now.

    None where there is no such artifact. What has been deleted since has no other content.

    Args: artifact: a finished one; of a run of several seeds it may read artifacts of their runs: `seed-2/records`.
    """
    waiting = [(run, artifact)]
    for folder, made in waiting:
        for read, was in manifest.read_manifest(folder / made).get("inputs", {}).items():
            name, _, files = read.partition(": ")
            if not (folder / name / MANIFEST).exists():  # an input file outside the run, or deleted
                continue
            if not _is(folder / name, files.split(", ") if files else [], was):
                return str(name)
            if (own := _own_run(folder, name)) not in waiting:
                waiting.append(own)
    return None


def _is(folder: Path, files: Collection[str], digest: str) -> bool:
    return manifest.holds(folder, files) and manifest.digest(folder, files) == digest


def _own_run(run: Path, name: str) -> tuple[Path, str]:
    """The run that an artifact is of, which may be that of one seed, and its name there."""
    first, _, rest = name.partition("/")
    return (run / first, rest) if (run / first / STATE).exists() else (run, name)
