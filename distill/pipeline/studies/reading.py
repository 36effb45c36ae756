"""A run in which one model reads another view, and everything else stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from distill.core.errors import UserError
from distill.core.project import ViewConfig
from distill.pipeline.experiment import Experiment
from distill.pipeline.settings import Settings
from distill.pipeline.studies.cells import measured_model
from students.config import StudentEntry
from teachers.config import TeacherEntry

EntryT = TypeVar("EntryT", TeacherEntry, StudentEntry)


def reader(settings: Settings, asked: str | None) -> str:
    """The model that a study of views fits. Args: asked: see `measured_model`.

    Raises: as `measured_model`; UserError for a model without an entry of its own, and for one that is made of others.
    """
    chosen = measured_model(settings, asked)
    if chosen not in settings.teachers and chosen not in settings.students:
        do = "name a teacher or student of the project with --model; --view says which view it reads"
        raise UserError("this model has no entry of its own in the project", where="--model", found=chosen, do=do)
    if members := Experiment(settings).models[chosen].members:
        do = f"name one of them with --model: {', '.join(members)}"
        raise UserError("this model reads no view but those of its members", where="--model", found=chosen, do=do)
    return chosen


def reading(settings: Settings, model: str, view: ViewConfig, name: str) -> Settings:
    """The run in which a model reads a view that no other model has. Args: name: of the view, where it is new."""
    project = settings.project.model_copy(update={"views": {**settings.project.views, name: view}})
    teachers, students = _on_view(settings.teachers, model, name), _on_view(settings.students, model, name)
    return replace(settings, project=project, teachers=teachers, students=students)


def _on_view(entries: Mapping[str, EntryT], model: str, view: str) -> dict[str, EntryT]:
    return {name: one.model_copy(update={"view": view}) if name == model else one for name, one in entries.items()}
