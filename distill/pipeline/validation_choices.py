"""What a run chooses on validation rows, by name: only where it is nothing may they join the test."""

from __future__ import annotations

from collections.abc import Iterator

from distill.core.errors import UserError
from distill.families.family import family
from distill.pipeline.experiment import Experiment
from distill.pipeline.models import ModelSpec
from distill.training.config import TrainingConfig
from students.config import TrainedEntry
from teachers.choice import AUTO, MIXTURE


def require_unchosen(experiment: Experiment) -> None:
    """Check that nothing is chosen on validation rows where there are none, or where `quality.test` has them too.

    Raises: UserError naming everything that is chosen on them and the setting that ends it.
    """
    project, where = experiment.project, experiment.settings.where
    missing, joined = not project.data.has_validation, "valid" in project.quality.test
    if not missing and not joined:
        return
    if missing and joined:
        do = "take valid out of quality.test"
        raise UserError("there are no validation rows to join the test", where=f"{where}: quality.test", do=do)
    if experiment.settings.closed:
        what = "sweeps, other studies and bench --latency-budget choose on validation rows, and "
        rest, key, do = (
            ("there are none", "data.split.valid", "give data.valid")
            if missing
            else (
                "these are part of the test",
                "quality.test",
                "take valid out of quality.test, as --set 'quality.test=[test]'",
            )
        )
        raise UserError(what + rest, where=f"{where}: {key}", do=do)
    if found := list(validation_choices(experiment)):
        what, key, other = (
            ("there are no validation rows, and something is chosen on them", "data.split.valid", "give data.valid")
            if missing
            else (
                "validation rows cannot join the test: something is chosen on them",
                "quality.test",
                "take valid out of quality.test",
            )
        )
        raise UserError(
            what,
            where=f"{where}: {key}",
            found="; ".join(dict.fromkeys(found)),
            do=f"change each setting that is named, or {other} (docs/measuring.md has a project)",
        )


def validation_choices(experiment: Experiment) -> Iterator[str]:
    """Each choice that is made on validation rows, with the setting that ends it in brackets."""
    if experiment.project.quality.calibrate:
        yield "temperatures and thresholds (quality.calibrate: false)"
    for spec in experiment.models.values():
        yield from (f"{what} of {spec.label} ({ends})" for what, ends in _of_fit(spec))
    if experiment.students:
        yield from _of_labels(experiment)
        yield from _of_exports(experiment)
    for student in experiment.students:
        if len(experiment.twins(student.name)) > 1:
            yield f"the better gold-only twin of {student.label} (controls.gold_twins: false)"


def _of_fit(spec: ModelSpec) -> Iterator[tuple[str, str]]:
    """What one fit chooses on validation, each with the setting that ends it; nothing of a copy."""
    own = family(spec.family)
    if spec.copy_of is not None or not spec.has_folder:
        return
    if not own.learns:
        if "valid" in own.asks(spec.config, ()):
            what, ends = own.chosen
            yield what, "kfold: false" if spec.is_mean_of_folds else ends
        return
    for fit in getattr(spec.config, "in_phases", lambda: {"": spec.config})().values():
        training = getattr(fit, "training", None)
        if isinstance(training, TrainingConfig):
            yield from _of_training(training)
    if spec.fold_of is None and getattr(spec.config, "cross_fit", None):
        yield "temperatures of the folds", "cross_fit: null"


def _of_training(config: TrainingConfig) -> Iterator[tuple[str, str]]:
    if config.objective.chooses is not None:
        yield f"what {config.objective.name()} decides by", config.objective.chooses
    if config.converges:
        yield "the end and the weights", "training.epochs: a number, training.checkpoint: last"
        return
    if config.early_stopping is not None:
        yield "early stopping", "training.early_stopping: null"
    if config.checkpoint == "best":
        yield "checkpoint best", "training.checkpoint: last"


def _of_labels(experiment: Experiment) -> Iterator[str]:
    """The choice of the labels, and of the teacher whose layers students start from."""
    asked, candidates = experiment.project.labels, experiment.candidates
    if experiment.imported or len(candidates) == 1:
        return
    if asked in (AUTO, MIXTURE):
        yield f"labels: {asked} (labels: document, or a teacher's name)"
        return
    for spec in experiment.students:
        free = isinstance(spec.config, TrainedEntry) and spec.starts_from is None and family(spec.family).starts
        if free and len(candidates.get(asked, {})) > 1:
            yield f"the teacher that {spec.label} starts from (students.{spec.name}.source)"


def _of_exports(experiment: Experiment) -> Iterator[str]:
    """Layers that a target leaves in fp32 by the labels that it changes, and which target is taken in its place."""
    settings = experiment.settings
    shipped = dict.fromkeys(target for _, target in experiment.shipped())
    choosing = [name for name in shipped if settings.target(name).chooses]
    for name in choosing:
        yield f"the layers that {name} leaves in fp32 (export: without {name})"
    for name, target in settings.targets.items():
        if shipped and target.falls_back and name not in choosing:
            yield f"what {name} falls back to (export: without {name})"
