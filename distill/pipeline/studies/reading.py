"""A run in which one model reads another view, and everything else stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from distill.core.project import ViewConfig
from distill.pipeline.settings import Settings
from students.config import StudentEntry
from teachers.config import TeacherEntry

EntryT = TypeVar("EntryT", TeacherEntry, StudentEntry)


def reading(settings: Settings, model: str, view: ViewConfig, name: str) -> Settings:
    """The run in which a model reads a view that no other model has. Args: name: of the view, where it is new."""
    project = settings.project.model_copy(update={"views": {**settings.project.views, name: view}})
    teachers, students = _on_view(settings.teachers, model, name), _on_view(settings.students, model, name)
    return replace(settings, project=project, teachers=teachers, students=students)


def _on_view(entries: Mapping[str, EntryT], model: str, view: str) -> dict[str, EntryT]:
    return {name: one.model_copy(update={"view": view}) if name == model else one for name, one in entries.items()}
