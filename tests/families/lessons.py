"""Lessons on the toy task, for the tests of every family."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from distill.core.soft_labels import SoftLabels, write_shard
from distill.families.family import Lesson
from distill.training.learnt_rows import labelled_rows
from tests.training.toy import CARD, SIGNS, SPACE


def toy_lesson(records: Path, view=CARD, name="card", **changes) -> Lesson:
    """Gold labels alone, unless `labels` names soft-label stores."""
    values = {"title": "toy", "space": SPACE, "view": name, "view_config": view, "records": records}
    return Lesson(**({"seed": 3} | values | changes))


def toy_labels(records: Path, folder: Path, *, without=(), planted=None) -> Path:
    """Soft labels that know the answer; ids in `without` are not usable; `planted` replaces all logits."""
    rows = list(labelled_rows(records))
    answers = [next(i for i, sign in enumerate(SIGNS) if sign in row.fields["page.title"]) for _, row in rows]
    logits = np.eye(3, dtype=np.float32)[answers] * 6
    if planted is not None:
        logits[:] = planted
    ids = [row.id for _, row in rows]
    counts = np.ones(len(rows), np.int32)
    status = ["nonfinite" if name in without else "ok" for name in ids]
    write_shard(folder, 0, SoftLabels(ids, [source for source, _ in rows], logits, counts, counts, status))
    return folder
