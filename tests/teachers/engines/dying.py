"""A family whose first worker to answer dies."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from distill.core.files import read_json, write_json
from distill.families.family import CONFIG_FILE, DEFAULT
from distill.families.tfidf import Tfidf


class Dying(Tfidf):
    """Words, with a file that kills the process which finds it, and is gone then."""

    name = "dying"

    def open(self, folder, how=DEFAULT):
        scorer, deadly = super().open(folder, how), Path(read_json(folder / CONFIG_FILE)["distill"]["deadly"])
        answer = scorer.answer

        def answering(prepared, on_progress=None):
            if deadly.exists():
                deadly.unlink()
                os.kill(os.getpid(), signal.SIGKILL)
            return answer(prepared, on_progress)

        scorer.answer = answering
        return scorer


def make_dying(teacher: Path, deadly: Path) -> None:
    """Make a teacher of words one of this family. Args: deadly: the file."""
    config = read_json(teacher / CONFIG_FILE)
    family = {"family": f"{__name__}:Dying", "deadly": str(deadly)}
    write_json(teacher / CONFIG_FILE, {**config, "distill": {**config["distill"], **family}})
