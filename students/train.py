"""Making a student from stored soft labels, or its twin from gold alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from distill.families.family import Lesson, fit
from students.config import StudentEntry


def train(config: StudentEntry, lesson: Lesson, folder: Path) -> None:
    """For programs (`distill.api`): `folder` becomes the model folder of a student, fitted on the lesson's soft labels
    and gold.

    Raises: GateFailed when the run collapses to one class. UserError when no row has a usable soft label, or a loss
        term reads the teacher's model and there is none, or one with another tokenizer.
    """
    fit(config.family, config, lesson, folder)


def train_twin(config: StudentEntry, lesson: Lesson, folder: Path) -> None:
    """For programs (`distill.api`): the student's twin, which has its start, view and recipe but gold labels only.

    Without `lesson.steps` it ends when it has converged itself. Either way the weights with the lowest validation log
    loss are kept, so a twin is not spoilt by more steps than it needs.
    Raises: as `train`.
    """
    fit(config.family, config.on_gold_alone(), replace(lesson, labels={}), folder)
