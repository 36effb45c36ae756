"""Finding the checkpoint that an interrupted run goes on from."""

from __future__ import annotations

import json
from pathlib import Path

FOLDER = "checkpoints"
STATE = "trainer_state.json"


def last_complete(folder: Path) -> Path | None:
    """The newest whole checkpoint of a Trainer's output folder, None without one.

    The Trainer writes `trainer_state.json` last, so a checkpoint cut off by a kill lacks it or holds half of it.
    """
    paths = [path for path in folder.glob("checkpoint-*") if path.name.split("-")[1].isdigit()]
    for path in sorted(paths, key=lambda path: int(path.name.split("-")[1]), reverse=True):
        try:
            json.loads((path / STATE).read_bytes())
        except (OSError, ValueError):
            continue
        return path
    return None


def of_step(step: int, *folders: Path) -> Path:
    """The checkpoint after `step` steps, in the first of these folders that has it."""
    return next(path for folder in folders if (path := folder / f"checkpoint-{step}").is_dir())
