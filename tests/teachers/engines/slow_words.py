"""A family that takes its time, and says who opened it; and a process that labels by it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from distill.core.files import read_json, write_json
from distill.core.lock import at_work
from distill.core.steps import Step, Steps
from distill.families.family import CONFIG_FILE, DEFAULT
from distill.families.tfidf import Tfidf
from tests.teachers.engines.words_teacher import Words


class SlowWords(Tfidf):
    """Words, a shard of which takes a part of a second; each answer leaves a line in a file."""

    name = "slow_words"

    def open(self, folder, how=DEFAULT):
        scorer, config = super().open(folder, how), read_json(folder / CONFIG_FILE)["distill"]
        answer = scorer.answer

        def answering(prepared, on_progress=None):
            with Path(config["answers"]).open("a", encoding="utf-8") as file:
                file.write(f"{os.getpid()}\n")
            time.sleep(float(Path(config["pace"]).read_text(encoding="utf-8")))
            return answer(prepared, on_progress)

        scorer.answer = answering
        return scorer


def make_slow(teacher: Path, answers: Path, pace: Path) -> None:
    """Make a teacher of words one of this family. Args: answers: the file. pace: one that holds seconds of a shard."""
    config = read_json(teacher / CONFIG_FILE)
    own = {"family": f"{__name__}:SlowWords", "answers": str(answers), "pace": str(pace)}
    write_json(teacher / CONFIG_FILE, {**config, "distill": {**config["distill"], **own}})


def label_run(root: Path, run: Path, **asked) -> None:
    """What a command does: the step of the labels in a run folder, in shards of one row."""
    words = Words(root / "teachers" / "words", root / "records", root / "whole", shard_rows=1)
    with at_work(run):
        Steps(run, {}, {}).run(Step("label words", "labels/words", lambda folder: words.label(folder, **asked)))
