"""Making a teacher, as its family does it."""

from __future__ import annotations

from pathlib import Path

from distill.families.family import Lesson, fit
from teachers.config import TeacherEntry


def teach(config: TeacherEntry, lesson: Lesson, folder: Path) -> None:
    """For programs (`distill.api`): `folder` becomes the model folder of a teacher, fitted on the lesson's gold labels,
    or on its soft labels too.

    Raises: GateFailed when the run collapses to one class. UserError for a slice that no training row has, and for a
        finished teacher that does not fit the task.
    """
    fit(config.made_by, config, lesson, folder)
