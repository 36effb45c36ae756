"""From `training.objective` of a config to an objective, found by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, SerializationInfo, ValidationError

from distill.core.config import problems
from distill.core.errors import hint
from distill.core.names import shown
from distill.core.siblings import siblings
from distill.training import fit_objectives
from distill.training.fit_objectives.fit_objective import FitObjective


def known_objectives() -> dict[str, type[FitObjective]]:
    """Every objective of this package by its name."""
    return {one.name(): one for one in siblings(fit_objectives, FitObjective)}


def parse_objective(value: object) -> FitObjective:
    """An objective by its name, or as a mapping of its name to its settings.

    Raises: ValueError with one line for each problem, `regression.borders: …`.
    """
    if isinstance(value, FitObjective):
        return value
    named = {value: None} if isinstance(value, str) else value
    if not isinstance(named, Mapping):
        raise ValueError("one objective is needed, NAME or {NAME: settings}")
    if len(named) != 1:
        first, *others = map(shown, map(str, named)) if named else ("NAME",)
        beside = f" and no {', '.join(others)} beside it; a name alone replaces what a preset says" if others else ""
        raise ValueError(f"{first}: one objective is needed, NAME or {{NAME: settings}}{beside}")
    name, settings = next(iter(named.items()))
    known = known_objectives()
    if str(name) not in known:
        raise ValueError(f"{shown(str(name))}: unknown objective, {hint(str(name), known)}")
    model = known[str(name)]
    try:
        return model.model_validate({} if settings is None else settings)
    except ValidationError as error:
        raise ValueError("\n".join(problems(error, model, str(name)))) from None


def _named(objective: FitObjective, info: SerializationInfo) -> dict[str, Any]:
    """A mapping of the name to the settings, in a fingerprint to those that differ from their defaults."""
    return {objective.name(): objective.model_dump(mode="json", exclude_defaults=bool(info.exclude_defaults))}


Objective = Annotated[FitObjective, BeforeValidator(parse_objective), PlainSerializer(_named)]
