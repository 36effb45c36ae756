"""Our own loops of `benchmarks.training`, one a process: `python -m benchmarks.training_loops FOLDER CELL`.

`own`: the teacher labels every row once, then the student learns from the stored labels. `own_online`: the same fit,
with the teacher's forward pass inside each step in place of stored labels. Both print one JSON line.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.training_inputs import Job
from distill.core.files import Json, read_json
from distill.core.model_folder import HISTORY_FILE
from distill.families.family import family_of
from distill.training.joining import Share
from distill.training.losses.soft_cross_entropy import SoftCrossEntropy
from distill.training.losses.term import Outputs

if TYPE_CHECKING:
    from torch import Tensor

CELLS = ("own", "own_online")
JOB_FILE = "own_job.json"
_ONLINE = "benchmarks.training_loops:OnlineSoftCrossEntropy"


class OnlineSoftCrossEntropy(SoftCrossEntropy):
    """Soft cross-entropy against a teacher that reads each batch. `teacher`: its folder."""

    teacher: str

    def __call__(self, student: Outputs, teacher: Outputs, batch: Mapping[str, Tensor]) -> Tensor:
        """As the term's own, on logits made for this batch."""
        return super().__call__(student, replace(teacher, logits=_read(self.teacher, batch)), batch)


def _read(folder: str, batch: Mapping[str, Tensor]) -> Tensor:
    import torch

    model, names = _opened(folder)
    with torch.no_grad():
        logits: Tensor = model(**{name: batch[name] for name in names}).logits
    return logits.float()


@cache
def _opened(folder: str) -> tuple[Any, list[str]]:
    """The teacher with the exact, faster last layer that labelling uses too."""
    from distill.models.encoder import input_names, load_classifier
    from distill.models.first_token import first_token_only

    model = load_classifier(Path(folder)).requires_grad_(False)
    first_token_only(model)
    return model, input_names(model)


def run_cell(cell: str, folder: Path) -> Json:
    """Seconds of a loop, by part and in all, and the optimiser steps."""
    import torch

    job = read_json(folder / JOB_FILE)
    own = Job(**{**job, "run": Path(job["run"]), "teacher": Path(job["teacher"])})
    torch.set_num_threads(own.threads)
    _import_all(folder / "teacher")
    labels = folder / "labels"
    if cell == "own":
        shutil.rmtree(labels, ignore_errors=True)
    seconds = {"label": _label(own, folder, labels)}
    term: Json = {"soft_cross_entropy": {"temperature": 2.0}}
    if cell == "own_online":
        term = {_ONLINE: {"temperature": 2.0, "teacher": str(folder / "teacher")}}
        seconds = {}  # the labels only say which rows there are
    seconds["train"], steps = _train(own, term, folder, labels, folder / cell)
    return {**seconds, "seconds": sum(seconds.values()), "steps": steps}


def _import_all(folder: Path) -> None:
    """Import what the loops use, so that no clock counts it: the peers import before theirs start too."""
    for module in ("distill.training.fit", "teachers.label"):
        import_module(module)
    family_of(folder).open(folder)


def _label(job: Job, folder: Path, labels: Path) -> float:
    from teachers.config import LabellingConfig
    from teachers.label import label

    started = time.perf_counter()
    config = LabellingConfig(precision=job.training["precision"])
    label(config, folder / "teacher", folder / "records", job.threads, labels)
    return time.perf_counter() - started


def _train(job: Job, term: Json, folder: Path, labels: Path, student: Path) -> tuple[float, int]:
    from distill.families.family import fit
    from students.config import StudentConfig

    shutil.rmtree(student, ignore_errors=True)
    student.mkdir()
    entry = {"preset": "speed", "layers": job.layers, "keep": "first", "losses": term, "training": job.training}
    config = StudentConfig.model_validate(entry)
    started = time.perf_counter()
    fit("encoder", config, replace(job.lesson(folder), labels={labels: Share()}), student)
    seconds = time.perf_counter() - started
    return seconds, int(read_json(student / HISTORY_FILE)["steps"])


if __name__ == "__main__":
    print(json.dumps(run_cell(sys.argv[2], Path(sys.argv[1]))))
