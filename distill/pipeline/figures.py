"""The rows of the report's main table, from the table of models, and what each is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from distill.core.errors import UserError, unknown_name
from distill.evaluation.calibrated_predictions import Model
from distill.evaluation.majority import MAJORITY
from distill.evaluation.random_answers import RANDOM
from distill.families.family import family, family_of
from distill.pipeline.experiment import Experiment
from distill.pipeline.ladders import ladders
from distill.pipeline.mixtures import is_fitted_name, may_be_fitted, mixtures
from distill.pipeline.models import BASELINE, CONTROL, STUDENT, ModelSpec
from distill.pipeline.remeasure import remeasured


def report_models(experiment: Experiment) -> list[Model]:
    """Every model, artifact and ensemble of the report, with the models that each is compared with."""
    models = [_row(experiment, spec) for spec in experiment.trained]
    models += mixtures(experiment)
    document = experiment.document_teacher
    if document is not None and experiment.cross_view is not None:
        read = _row(experiment, document)
        models.append(replace(read, name=experiment.cross_view, view="card", rivals=(), made_from=document.label))
    students = {model.name: model for model in models}
    models += [one.row(students[one.spec.label]) for one in remeasured(experiment)]
    artifacts = [(students[spec.label], f"{spec.label}.{target}") for spec, target in experiment.shipped()]
    return models + [
        replace(model, name=name, role="artifact", rivals=(model.name,), made_from=model.name)
        for model, name in artifacts
    ]


def predicted(experiment: Experiment) -> list[str]:
    """Names of everything that has a prediction file."""
    names = [spec.label for spec in experiment.trained]
    names += [experiment.cross_view] if experiment.cross_view else []
    names += [one.name for one in remeasured(experiment)]
    return names + [f"{spec.label}.{target}" for spec, target in experiment.shipped()]


def measured_names(experiment: Experiment) -> list[str]:
    """Names in the report of everything that is measured, with what knows the class shares alone."""
    return [*predicted(experiment), *(model.name for model in mixtures(experiment)), *_of_shares(experiment)]


def baseline(experiment: Experiment) -> str | None:
    """The name in the report of the model that `quality.baseline` names; None where it names none.

    An exported file that failed its gates stands for the one that is taken in its place; a mixture which the choice may
    come to is taken by its name until that is made. Raises: UserError for a model that the run does not have.
    """
    asked, names = experiment.project.quality.baseline, measured_names(experiment)
    if asked is None or asked in names:
        return asked
    if asked in experiment.models and experiment.models[asked].label in names:
        return experiment.models[asked].label
    if asked in (taken := _taken_in_place(experiment)):
        return taken[asked]
    if is_fitted_name(asked) and may_be_fitted(experiment):
        return asked
    raise unknown_name("model", asked, names, f"{experiment.settings.where}: quality.baseline")


def _taken_in_place(experiment: Experiment) -> dict[str, str]:
    """The name of the file that counts, by the name of each that failed its gates and is followed by it."""
    students = (spec for spec in experiment.timed if spec.role == STUDENT)
    return {
        f"{spec.label}.{failed.target}": f"{spec.label}.{rungs[-1].target}"
        for spec in students
        for rungs in ladders(experiment.run, experiment.settings, spec)
        for failed in rungs[:-1]
    }


def require_shared_baseline(experiment: Experiment) -> None:
    """Check, before any seed is begun, that `quality.baseline` is no mixture that each fits for itself.

    Args: experiment: of one of several seeds. Raises: UserError.
    """
    shared = [*predicted(experiment), *(model.name for model in mixtures(experiment) if not model.temperatures)]
    require_baseline(experiment, shared)


def require_baseline(experiment: Experiment, models: Sequence[str]) -> None:
    """Check that what `quality.baseline` names is measured in every seed. Args: models: that are. Raises: UserError."""
    named, known = baseline(experiment), [*models, *_of_shares(experiment)]
    if named is not None and named not in known:
        raise UserError(
            "the baseline is not there in every seed: each fits its own mixture, and may take another file",
            where=f"{experiment.settings.where}: quality.baseline",
            found=named,
            do=f"name one that all seeds have: {', '.join(known)}",
        )


def _of_shares(experiment: Experiment) -> list[str]:
    """What knows the class shares alone."""
    return [MAJORITY, *([RANDOM] if experiment.project.controls.random else [])]


def _row(experiment: Experiment, spec: ModelSpec) -> Model:
    folder = experiment.run / spec.artifact
    facts, card = family_of(folder).facts(folder), experiment.card_teacher
    training = getattr(spec.config, "training", None)
    return Model(
        name=spec.label,
        role=BASELINE if spec.role == CONTROL else spec.role,
        preset="" if spec.role == CONTROL else spec.preset,
        view=spec.view,
        layers=facts.layers,
        parameters=facts.parameters,
        rivals=_rivals(experiment, spec),
        twin_of=experiment.models[spec.twin_of].label if spec.twin_of else None,
        recipe_of=experiment.first_teacher.label if spec == card else None,
        control=True if spec.role == CONTROL else None,
        only_measured=True if spec.role == STUDENT and not family(spec.family).exports else None,
        **({} if training is None else {"kept_in": training.objective.kept_in}),
    )


def _rivals(experiment: Experiment, spec: ModelSpec) -> tuple[str, ...]:
    references, document = experiment.references, experiment.document_teacher
    teachers = tuple(name for name in (references.card, references.document) if name is not None)
    if spec.role == STUDENT:
        return (*(twin.label for twin in experiment.twins(spec.name)), *teachers)
    if spec.role == BASELINE:
        return teachers[:1]
    if spec.role == CONTROL:
        return ()
    compared = spec.label == references.card or not experiment.students
    return (document.label,) if document and compared and spec.label != document.label else ()
