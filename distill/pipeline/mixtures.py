"""Mixtures of a run's teachers as rows of the report: by the weights that are given, and by those that were fitted."""

from __future__ import annotations

from collections.abc import Iterator

from distill.core.files import Json
from distill.evaluation.calibrated_predictions import Model
from distill.pipeline.experiment import Experiment
from distill.pipeline.models import TEACHER
from teachers.choice import AUTO, MIXTURE


def mixtures(experiment: Experiment) -> list[Model]:
    """A row for several labelling teachers together, and one for the fitted mixture where that is what labels.

    Both are made of the members' prediction files. A run with one labelling teacher has the second one where `labels`
    asks for it by name.
    """
    return [*_weighted(experiment), *_fitted(experiment)]


def mixing(experiment: Experiment) -> Json:
    """What the rows of `mixtures` depend on besides predictions, by name; for fingerprints."""
    found = mixtures(experiment)
    return {model.name: model.mixture for model in found}


def is_fitted_name(name: str) -> bool:
    """Whether a name is that of a fitted mixture: its views, which come last, are known once it is fitted."""
    return name.startswith(f"{MIXTURE}@")


def may_be_fitted(experiment: Experiment) -> bool:
    """Whether the choice, which is not made yet, may come to the row of a fitted mixture."""
    asked = experiment.project.labels
    wanted = asked == MIXTURE or (asked == AUTO and len(experiment.labelling_teachers) > 1)
    return experiment.choice is None and experiment.settings.distils and wanted and MIXTURE in experiment.candidates


def _weighted(experiment: Experiment) -> Iterator[Model]:
    """By the weights that are given, each after its temperature, as students read their labels."""
    voting = [spec for spec in experiment.labelling_teachers if spec.has_folder]
    name = experiment.references.document
    if len(voting) > 1 and name is not None:
        members = tuple((spec.label, spec.weight) for spec in voting)
        yield Model(name, TEACHER, "ensemble", "document", members=members, temperatures=None)


def _fitted(experiment: Experiment) -> Iterator[Model]:
    """By the weights of each member, or of each member and class, and the temperatures that the choice has."""
    choice, several = experiment.choice, len(experiment.labelling_teachers) > 1
    if choice is None or choice["taken"] != MIXTURE or not (several or experiment.project.labels == MIXTURE):
        return
    shares = experiment.chosen
    view = "+".join(dict.fromkeys(experiment.labelled(label).view for label in shares))
    yield Model(
        name=f"{MIXTURE}@{view}",
        role=TEACHER,
        preset=MIXTURE,
        view=view,
        rivals=tuple(name for name in (experiment.references.document,) if name is not None),
        members=tuple((label, share.by_class or share.weight) for label, share in shares.items()),
        temperatures=tuple(share.temperature for share in shares.values()),
    )
