"""Checkpoints that an interrupted run goes on from: whole by their own list of hashes, or not taken up at all.

The list is written last, and before older checkpoints are removed. A checkpoint that a kill cut off lacks it; weights,
optimiser or random state that were cut or changed since differ from it. Going on without one of them would give another
model and say nothing.
"""

from __future__ import annotations

from pathlib import Path

from distill.core.errors import UserError
from distill.core.files import read_object, remove
from distill.core.manifest import damaged_files, write_manifest

FOLDER = "checkpoints"
STATE = "trainer_state.json"
_PREFIX = "checkpoint-"


def seal(checkpoint: Path) -> None:
    """List a finished checkpoint's files with their hashes; from then on it counts as whole."""
    write_manifest(checkpoint, {"step": checkpoint.name})


def last_complete(folder: Path) -> Path | None:
    """The newest checkpoint of a Trainer's output folder that a run can go on from, None without one."""
    return next((path for path in _newest_first(folder) if problem(path) is None), None)


def problem(checkpoint: Path) -> str | None:
    """Why a run cannot go on from a checkpoint: it, or the one that it names as the best so far, is not whole."""
    best = read_object(checkpoint / STATE).get("best_global_step")
    for path in (checkpoint, *([checkpoint.with_name(f"{_PREFIX}{best}")] if best else [])):
        try:
            damaged = damaged_files(path)
        except UserError as error:
            return f"{path.name} was not finished: {error.what}"
        if damaged:
            return f"{path.name} is damaged: {', '.join(damaged)}"
    return None


def drop_after(folder: Path, last: Path | None) -> list[str]:
    """Remove the checkpoints newer than `last`, all for None; returns why each could not be gone on from."""
    newer = [path for path in _newest_first(folder) if last is None or _step(path) > _step(last)]
    problems = [problem(path) or path.name for path in newer]
    for path in newer:
        remove(path)
    return problems


def rotate(folder: Path, keep: int, best: int | None) -> None:
    """Remove all checkpoints but `keep`: the newest and that of step `best` before others, newer before older."""
    newest, *others = _newest_first(folder)
    kept = dict.fromkeys([newest, *(path for path in others if _step(path) == best), *others])
    for path in list(kept)[keep:]:
        remove(path)


def of_step(step: int, *folders: Path) -> Path:
    """The checkpoint after `step` steps, in the first of these folders that has it."""
    return next(path for folder in folders if (path := folder / f"{_PREFIX}{step}").is_dir())


def _newest_first(folder: Path) -> list[Path]:
    found = [path for path in folder.glob(f"{_PREFIX}*") if path.is_dir() and path.name[len(_PREFIX) :].isdecimal()]
    return sorted(found, key=_step, reverse=True)


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix(_PREFIX))
