"""Finished models read through other views than their own: rows of the table that nothing is judged by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from distill.core.config import setting
from distill.core.errors import UserError, unknown_name
from distill.evaluation.calibrated_predictions import Model
from distill.evaluation.entries import REMEASURED
from distill.pipeline.experiment import Experiment
from distill.pipeline.models import STUDENT, TEACHER, ModelSpec


@dataclass(frozen=True)
class Reread:
    """A model and the view that it is read through instead of its own."""

    spec: ModelSpec
    view: str

    @property
    def name(self) -> str:
        """In the report, and of its predictions: `base@document>card`."""
        return f"{self.spec.label}>{self.view}"

    def row(self, own: Model) -> Model:
        """Its row of the table. Args: own: the model's row on its own view."""
        return Model(
            name=self.name,
            role=REMEASURED,
            preset=own.preset,
            view=self.view,
            layers=own.layers,
            parameters=own.parameters,
            made_from=own.name,
            kept_in=own.kept_in,
        )


def remeasured(experiment: Experiment) -> list[Reread]:
    """What `quality.remeasure` asks for, without what the table has anyway: a model on its own view.

    Raises: UserError for a view or a model that the project does not have.
    """
    found = {one.name: one for one in _asked(experiment)}
    return [one for one in found.values() if one.view != one.spec.view and one.name != experiment.cross_view]


def as_setting(views: Sequence[str], models: Sequence[str]) -> list[str]:
    """`quality.remeasure` as `--set` takes it; empty without views. Raises: UserError for models without views."""
    if models and not views:
        found = ", ".join(models)
        raise UserError("a model is read through a view", where="--model", found=found, do="give --view too")
    return [setting("quality.remeasure", {view: list(models) for view in views})] if views else []


def _asked(experiment: Experiment) -> Iterator[Reread]:
    where, views = f"{experiment.settings.where}: quality.remeasure", experiment.project.views
    known = {spec.name: spec for spec in experiment.trained} | {spec.label: spec for spec in experiment.trained}
    for view, models in experiment.project.quality.remeasure.items():
        if view not in views:
            raise unknown_name("view", view, views, where)
        for name in models or [spec.name for spec in experiment.trained if spec.role in (TEACHER, STUDENT)]:
            if name not in known:
                raise unknown_name("model", name, known, f"{where}.{view}")
            yield Reread(known[name], view)
