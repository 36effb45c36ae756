"""Steps that measure: predictions, quality, latency."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from distill.core.model_folder import layer_count, parameter_count
from distill.core.steps import Step
from distill.core.view import TOKENIZER_FILE, View
from distill.evaluation.calibrated_predictions import Model
from distill.pipeline.experiment import EVALUATION, KINDS, LATENCY, RECORDS, Experiment, Trained, exported, predictions

if TYPE_CHECKING:
    from benchmarks.subjects import Subject


def predict_step(experiment: Experiment, model: Trained, *, cross_view: bool = False) -> Step:
    """A model's answers on validation and test, through its own view or, for the lead teacher, through the card."""
    folder, threads = experiment.run / model.artifact, experiment.project.threads
    view_name = "card" if cross_view else model.view
    name, config = experiment.cross_view if cross_view else model.label, experiment.project.views[view_name]

    def body(out: Path) -> None:
        from distill.inference.predict import predict
        from distill.inference.torch_runner import TorchRunner
        from distill.training.device import device

        view = View(view_name, config, folder / TOKENIZER_FILE) if cross_view else View.load(folder)
        predict(
            lambda: TorchRunner(folder, threads=threads, device=device()),
            view,
            experiment.run / RECORDS,
            experiment.labelled,
            out,
        )

    return Step(
        name=f"predict {name}",
        artifact=predictions(name),
        body=body,
        config={"view": config.as_json(), "splits": experiment.labelled},
        upstream=(RECORDS, model.artifact),
    )


def predict_exported_step(experiment: Experiment, model: Trained, target: str) -> Step:
    """An exported file's answers on validation and test."""
    name, source, threads = f"{model.label}.{target}", exported(model, target), experiment.project.threads
    config = experiment.settings.targets[target]
    max_rows = 64 if config.batch_invariant else 1  # as served

    def body(out: Path) -> None:
        from distill.inference.predict import predict

        view = View.load(experiment.run / model.artifact)
        predict(
            lambda: config.open(experiment.run / source, threads),
            view,
            experiment.run / RECORDS,
            experiment.labelled,
            out,
            max_rows=max_rows,
        )

    return Step(
        name=f"predict {name}",
        artifact=predictions(name),
        body=body,
        config={"splits": experiment.labelled},
        upstream=(RECORDS, model.artifact, source),
    )


def evaluate_step(experiment: Experiment) -> Step:
    """Every quality figure, from the prediction files."""
    project = experiment.project

    def body(folder: Path) -> None:
        from distill.core.files import write_json
        from distill.core.record_store import class_shares
        from distill.evaluation.evaluate import Measuring, evaluate

        models, by_seed = report_rows(experiment), {None: experiment.run / "predictions"}
        priors = class_shares(experiment.run / RECORDS)
        measuring = Measuring(experiment.space, project.quality, project.seed, priors)
        result = evaluate(models, experiment.tests, experiment.references, by_seed, measuring)
        write_json(folder / "evaluation.json", result)

    part = {"quality": project.quality.as_json(), "task": project.task.as_json()}
    return Step(
        name="evaluate",
        artifact=EVALUATION,
        body=body,
        config={**part, "seed": project.seed, "tests": experiment.tests},
        upstream=(RECORDS, *map(predictions, predicted(experiment))),
        version=3,
    )


def predicted(experiment: Experiment) -> list[str]:
    """Names of everything that has a prediction file."""
    names = [model.label for model in experiment.trained] + [experiment.cross_view]
    return names + [f"{model.label}.{target}" for model, target in experiment.shipped()]


def bench_step(experiment: Experiment) -> Step:
    """Latency of the teacher and of every file that may be served."""
    config, threads = experiment.settings.bench, experiment.project.threads

    def body(folder: Path) -> None:
        from benchmarks.latency import measure
        from distill.core.progress import progress
        from distill.core.record_store import read_records

        rows = [record.fields for test in experiment.tests for record in read_records(experiment.run / RECORDS, test)]
        by_view, subjects, out = (
            {view: rows for view in experiment.project.views},
            _subjects(experiment),
            folder / "latency.json",
        )
        with progress("measuring latency", len(subjects) * config.processes) as advance:
            measure(subjects, by_view, config, threads, out, on_progress=lambda done, total, name: advance(done))

    teachers = [model.artifact for model in experiment.timed if model.role == "teacher"]
    files = [exported(model, target) for model, target in experiment.exports()]
    return Step(
        name="bench",
        artifact=LATENCY,
        body=body,
        config={"bench": config.as_json(), "threads": threads},
        upstream=(RECORDS, *teachers, *files),
    )


def report_rows(experiment: Experiment) -> list[Model]:
    """Every row of the report's table, with the models that each is compared with."""
    references = experiment.references
    students = experiment.settings.students
    twin_of = {experiment.twin(name, kind).label: experiment.student(name).label for name in students for kind in KINDS}
    models = [
        replace(
            _row(experiment, model, model.label, model.role, _rivals(experiment, model)),
            twin_of=twin_of.get(model.label),
            recipe_of=experiment.first_teacher.label if model == experiment.card_teacher else None,
        )
        for model in experiment.trained
    ]
    if len(experiment.labelling_teachers) > 1:
        members = tuple((m.label, experiment.settings.teachers[m.name].weight) for m in experiment.labelling_teachers)
        models.append(Model(references.document, "teacher", "ensemble", "document", members=members))
    lead = experiment.first_teacher
    across = _row(experiment, lead, experiment.cross_view, "teacher", (), view="card")
    models.append(replace(across, made_from=lead.label))
    shipped = experiment.shipped()
    artifacts = [_row(experiment, m, f"{m.label}.{target}", "artifact", (m.label,)) for m, target in shipped]
    return models + [replace(row, made_from=row.rivals[0]) for row in artifacts]


def _rivals(experiment: Experiment, model: Trained) -> tuple[str, ...]:
    references = experiment.references
    teachers = tuple(name for name in (references.card, references.document) if name is not None)
    if model.role == "student":
        return (*(experiment.twin(model.name, kind).label for kind in KINDS), *teachers)
    if model.role == "baseline":
        return teachers[:1]
    compared = model.label == references.card or not experiment.settings.students
    return (experiment.first_teacher.label,) if compared and model.label != experiment.first_teacher.label else ()


def _row(
    experiment: Experiment, model: Trained, name: str, role: str, rivals: tuple[str, ...], view: str | None = None
) -> Model:
    folder = experiment.run / model.artifact
    return Model(name, role, model.preset, view or model.view, layer_count(folder), parameter_count(folder), rivals)


def _subjects(experiment: Experiment) -> list[Subject]:
    """What is timed: teachers in PyTorch, and every exported file."""
    from benchmarks.subjects import pytorch_subject

    run, targets = experiment.run, experiment.settings.targets
    subjects = {m.name: pytorch_subject(m.label, m.view, run / m.artifact, m.role) for m in experiment.timed}
    teachers = [subjects[m.name] for m in experiment.timed if m.role == "teacher"]
    files = [(subjects[m.name], targets[target], run / exported(m, target)) for m, target in experiment.exports()]
    return teachers + [subject.exported(target, folder) for subject, target, folder in files]
