"""The teachers whose models loss terms read while a model is fitted, and through which views."""

from __future__ import annotations

from distill.core.project import ViewConfig
from distill.families.family import family
from distill.pipeline.experiment import Experiment
from distill.pipeline.models import ModelSpec
from distill.training.losses.term import Term, needs_teacher, other_views


def read_teacher(experiment: Experiment, spec: ModelSpec) -> ModelSpec | None:
    """The model that a loss term reads: of those with layers, that with the largest part in the labels; or None."""
    if not needs_teacher(_terms(spec).values()):
        return None
    shares = experiment.teachers_of(spec)
    models = {name: experiment.models[name] for name in shares}
    known = [name for name, one in models.items() if one.has_folder and family(one.family).layered]
    return experiment.models[max(known, key=lambda name: shares[name].weight)] if known else None


def compared_terms(spec: ModelSpec) -> dict[str, Term]:
    """The terms of a model that read its teacher's model, not stored logits alone, by name."""
    return {name: term for name, term in _terms(spec).items() if needs_teacher([term])}


def teacher_views(experiment: Experiment, spec: ModelSpec) -> dict[str, ViewConfig]:
    """The views through which that model reads rows for terms that name one, by name."""
    return {name: experiment.project.views[name] for name in other_views(_terms(spec).values())}


def views_of_terms(experiment: Experiment, teacher: ModelSpec) -> list[str]:
    """The views that the terms of other models name for this teacher."""
    learners = [one for one in experiment.models.values() if other_views(_terms(one).values())]
    reading = [one for one in learners if read_teacher(experiment, one) == teacher]
    return [view for one in reading for view in teacher_views(experiment, one)]


def _terms(spec: ModelSpec) -> dict[str, Term]:
    found: dict[str, Term] = getattr(spec.config, "terms", {})
    return found
